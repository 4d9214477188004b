resource "globusauth_project" "laboratory" {
  display_name  = "Laboratory"
  contact_email = "laboratory@example.edu"
  admin_ids     = data.globusauth_identities.administrators.identities[*].id
}
