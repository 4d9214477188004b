data "globusauth_project" "laboratory" {
  id = globusauth_project.laboratory.id
}
