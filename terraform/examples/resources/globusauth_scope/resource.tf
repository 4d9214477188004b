resource "globusauth_scope" "submit" {
  client       = globusauth_client.portal.id
  name         = "Submit jobs"
  description  = "Submit jobs for your group"
  scope_suffix = "submit"
  advertised   = true

  dependent_scopes = [
    { scope = data.globusauth_scope.groups.id, optional = false, requires_refresh_token = true },
  ]
}
