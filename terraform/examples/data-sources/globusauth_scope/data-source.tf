data "globusauth_scope" "groups" {
  scope_string = data.globusauth_well_known_scopes.all.scopes["groups_view_my_groups"]
}
