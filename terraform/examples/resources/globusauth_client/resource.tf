resource "globusauth_client" "portal" {
  project       = globusauth_project.laboratory.id
  name          = "Laboratory portal"
  client_type   = "hybrid_confidential_client_resource_server"
  redirect_uris = ["https://portal.example.edu/callback"]
  required_idp  = data.globusauth_identity_provider.university.id
}

# A program on people's computers, without a secret.
resource "globusauth_client" "tool" {
  project       = globusauth_project.laboratory.id
  name          = "Laboratory tool"
  public_client = true
}
