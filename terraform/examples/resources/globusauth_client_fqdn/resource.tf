resource "globusauth_client_fqdn" "portal" {
  client = globusauth_client.portal.id
  fqdn   = "laboratory.example.edu"
}
