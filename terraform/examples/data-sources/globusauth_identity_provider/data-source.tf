data "globusauth_identity_provider" "university" {
  domain = "example.edu"
}
