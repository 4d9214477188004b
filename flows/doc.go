// Package flows logs people and services in to Globus Auth: every OAuth2 grant of the
// service, with all checks.
//
// # A person logs in
//
// A [Config] is an OAuth2 client: public, such as a program on the person's own
// machine, or with a ClientSecret confidential, such as a web portal. It is a plain
// value. [Config.Start] makes a [Login]: an immutable value with its own PKCE verifier, state
// and nonce. Send the person to [Login.URL] and give what comes back to
// [Login.Finish], or the code that was copied by hand to [Login.FinishCode]:
//
//	oauth := flows.Config{Auth: auth, ClientID: id, Scopes: want, RefreshTokens: true}
//	login, err := oauth.Start()
//	fmt.Println(login.URL())
//	set, claims, err := login.FinishCode(ctx, code) // or login.Finish(ctx, r.URL.Query())
//
// Finish makes all checks in one call and none can be left out: the login's age,
// state, the issuer, the error that the server reports, then PKCE at the server,
// then the ID token with nonce and at_hash. [Login.MarshalStorage] and [Config.Resume]
// carry a login through a web session to another process.
//
// # Services, and tokens for others
//
// [Config.ClientCredentials] gets tokens for the client itself,
// [Config.DependentTokens] those with which a resource server calls further
// services for its caller, and [Config.Introspect] says what a token
// is for.
//
// # Keeping tokens
//
// [Config.Refresh] renews a token once. [Config.Source] and [Config.ClientCredentialsSource]
// keep one usable; [tokens.OAuth2] makes that an oauth2.TokenSource, and
// [HTTPClient] an *http.Client that sends the token to the hosts it is meant for.
//
// # Errors
//
// What the service reports is an *apierror.Error, also when it comes by way of the redirect URI: test
// for apierror.ErrAccessDenied, apierror.ErrInvalidGrant and so on. A check that fails is a
// [CheckError], such as [ErrState], or [idtoken.ErrNonce] for an ID token. No error contains a
// secret.
//
// All values of this package are safe for concurrent use.
package flows
