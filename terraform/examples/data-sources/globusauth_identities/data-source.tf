data "globusauth_identities" "administrators" {
  usernames = ["alice@example.edu", "bob@example.edu"]
}
