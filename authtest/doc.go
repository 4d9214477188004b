// Package authtest is a whole Globus Auth in your process, for tests and for the
// first five minutes: identities and providers, clients and their secrets,
// projects, policies and scopes, consents, sessions, and every grant, with real
// RS512 keys.
//
// [New] starts one for a test, with the built-in world of [DefaultWorld]:
//
//	server := authtest.New(t)
//	alice := server.AddUser(authtest.User{Username: "alice@physics.example.edu"})
//	callback, err := server.Login(ctx, alice.Username, login.URL())
//
// Point the client under test at [Server.BaseURL]. No click is needed: the
// authorization endpoint signs in the user of login_hint, or else the first one,
// consents and redirects at once, unless the request accepts text/html; then a
// person gets pages.
//
// Time is the server's own: [Server.Advance] makes tokens expire and
// authentications grow old, and [Server.Wait] passes the pauses of a client before retries.
// [Server.Inject] makes requests fail in the ways that
// networks and services do. [Server.Requests], [Server.Stats] and the assertions
// say what was received.
//
// [NewServer] makes a server for a program that listens itself; [Server.Snapshot]
// and [ReadWorld] keep its state in a YAML document. For other languages,
// the command globus-auth emulator serves the same with a control API.
//
// It is a test double: it checks no password, its first signing key is
// public, and tokens, codes and secrets that it makes begin with "fake-".
// What it does follows public sources about the service; where these are silent
// or disagree, the comments say what was chosen.
package authtest
