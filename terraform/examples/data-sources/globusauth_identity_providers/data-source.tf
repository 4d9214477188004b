data "globusauth_identity_providers" "partners" {
  domains = ["example.edu", "globusid.org"]
}
