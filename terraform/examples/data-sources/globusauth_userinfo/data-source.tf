data "globusauth_userinfo" "caller" {}
