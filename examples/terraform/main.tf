# A laboratory's project: a portal, a service account, two scopes and a policy.

terraform {
  required_providers {
    globusauth = {
      source = "globusauth/globusauth"
    }
  }
}

# Credentials and addresses come from the environment, or from the login of globus-auth.
provider "globusauth" {}

variable "administrators" {
  description = "Usernames of the project's administrators."
  type        = set(string)
}

data "globusauth_identities" "administrators" {
  usernames = var.administrators
}

resource "globusauth_project" "laboratory" {
  display_name  = "Laboratory"
  contact_email = "laboratory@example.edu"
  admin_ids     = data.globusauth_identities.administrators.identities[*].id
}

# The portal signs people in, and is a resource server with two scopes.
resource "globusauth_client" "portal" {
  project       = globusauth_project.laboratory.id
  name          = "Laboratory portal"
  client_type   = "hybrid_confidential_client_resource_server"
  redirect_uris = ["https://portal.example.edu/callback"]

  links = {
    terms_and_conditions = "https://portal.example.edu/terms"
    privacy_policy       = "https://portal.example.edu/privacy"
  }
}

resource "globusauth_client_credential" "portal" {
  client = globusauth_client.portal.id
  name   = "portal"

  lifecycle {
    create_before_destroy = true
  }
}

data "globusauth_well_known_scopes" "all" {}

# A scope depends on other scopes by their IDs.
data "globusauth_scope" "groups" {
  scope_string = data.globusauth_well_known_scopes.all.scopes["groups_view_my_groups"]
}

resource "globusauth_scope" "read" {
  client       = globusauth_client.portal.id
  name         = "Read laboratory data"
  description  = "Read the data of your laboratory"
  scope_suffix = "read"
  advertised   = true
}

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

# The service account of the instruments.
resource "globusauth_client" "instruments" {
  project     = globusauth_project.laboratory.id
  name        = "Laboratory instruments"
  client_type = "client_identity"
}

resource "globusauth_client_credential" "instruments" {
  client = globusauth_client.instruments.id
  name   = "instruments"
}

resource "globusauth_policy" "fresh" {
  project_id                       = globusauth_project.laboratory.id
  display_name                     = "Fresh logins from the laboratory"
  description                      = "A login with an identity of the laboratory within the last hour"
  high_assurance                   = true
  authentication_assurance_timeout = 3600
  domain_constraints_include       = ["example.edu"]
}

output "project" {
  value = globusauth_project.laboratory.id
}

output "portal" {
  value = globusauth_client.portal.id
}

output "portal_secret" {
  value     = globusauth_client_credential.portal.secret
  sensitive = true
}

output "scopes" {
  value = [globusauth_scope.read.scope_string, globusauth_scope.submit.scope_string]
}
