data "globusauth_well_known_scopes" "all" {}
