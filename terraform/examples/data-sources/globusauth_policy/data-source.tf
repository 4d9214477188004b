data "globusauth_policy" "fresh" {
  id = globusauth_policy.fresh.id
}
