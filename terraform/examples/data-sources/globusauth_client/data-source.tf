data "globusauth_client" "portal" {
  fqdn = globusauth_client_fqdn.portal.fqdn
}
