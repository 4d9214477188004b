// Package login runs a login with a user: it shows the link, waits for the response, and
// finishes the login.
//
// # On a person's own machine
//
// A [Manager] does all of it. [CommandLine] prints the link and reads the code
// that the person copies; [Loopback] opens the browser and receives the callback
// on this machine, and falls back to the command line where there is no browser:
//
//	config := flows.Config{Auth: auth, ClientID: id, Scopes: want}
//	set, claims, err := login.Loopback{Name: "my-tool", Getenv: os.Getenv}.Login(ctx, config)
//
// [Func] makes a function a manager. A custom manager has one method: call
// [flows.Config.Start], show [flows.Login.URL], and return what [flows.Login.Finish] or
// [flows.Login.FinishCode] returns.
//
// # In a web portal
//
// [Web] has handlers to start a login, to receive its callback, to log out and to link
// another account, and keeps who is logged in in [Sessions]. [Web.Require] gives a page
// the session that it demands.
//
// # Errors
//
// Errors are those of package flows, those of the context, and [ErrTimeout] and
// [ErrNoInput]. None contains a secret. All types are safe for concurrent use if their
// readers and writers are.
package login
