resource "globusauth_client_instance" "login_node" {
  template_id = "a0000000-0000-4000-8000-000000000003"
  name        = "Tool on the login node"
}
