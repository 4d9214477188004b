resource "globusauth_client_credential" "portal" {
  client = globusauth_client.portal.id
  name   = "portal 2027"

  lifecycle {
    create_before_destroy = true
  }
}
