terraform {
  required_providers {
    globusauth = {
      source = "globusauth/globusauth"
    }
  }
}

# With the login of "globus-auth login", or with credentials in the environment.
provider "globusauth" {}
