data "globusauth_identity" "alice" {
  username = "alice@example.edu"
}
