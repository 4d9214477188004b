ephemeral "globusauth_client_credential" "check" {
  client = "a0000000-0000-4000-8000-000000000002"
  name   = "for this run"
}

# Acts as that client.
provider "globusauth" {
  alias         = "portal"
  client_id     = ephemeral.globusauth_client_credential.check.client
  client_secret = ephemeral.globusauth_client_credential.check.secret
}

data "globusauth_userinfo" "portal" {
  provider = globusauth.portal
}
