# A high-assurance policy: a recent login with a second factor.
resource "globusauth_policy" "fresh" {
  project_id                       = globusauth_project.laboratory.id
  display_name                     = "Fresh logins"
  description                      = "A login with a second factor within the last hour"
  high_assurance                   = true
  required_mfa                     = true
  authentication_assurance_timeout = 3600
}

# A policy about domains alone.
resource "globusauth_policy" "university" {
  project_id                 = globusauth_project.laboratory.id
  display_name               = "Identities of the university"
  description                = "A login with an identity of the university"
  domain_constraints_include = ["example.edu"]
}
