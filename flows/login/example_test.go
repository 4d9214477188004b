package login_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// A portal mounts three handlers. Here a browser that wants to see /jobs begins
// its login.
func ExampleWeb() {
	auth, err := globusauth.New(globusauth.Config{AppName: "portal"})
	if err != nil {
		log.Fatal(err)
	}
	web, err := login.NewWeb(login.WebConfig{Flow: flows.Config{
		Auth: auth, ClientID: "7fb58e00-839d-44e3-8047-10a502612dca", ClientSecret: "from a vault",
		Scopes: scopes.List{scopes.AuthOpenID, scopes.TransferAll}, RedirectURI: "https://portal.example.edu/login/callback",
	}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", web.Start)
	mux.HandleFunc("GET /login/callback", web.Callback)
	mux.HandleFunc("POST /logout", web.Logout)

	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/login?next=/jobs", nil))
	target, err := url.Parse(response.Header().Get("Location"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Code, target.Host, target.Query().Get("redirect_uri"))
	// Output: 303 auth.globus.org https://portal.example.edu/login/callback
}

// window is a manager of a program with windows of its own.
type window struct {
	show func(link string) (code string)
}

func (w window) Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	begun, err := config.Start(options...)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	return begun.FinishCode(ctx, w.show(begun.URL()))
}

// A custom manager has one method.
func ExampleManager() {
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		log.Fatal(err)
	}
	native := flows.Config{Auth: auth, ClientID: "7fb58e00-839d-44e3-8047-10a502612dca", Scopes: scopes.List{scopes.TransferAll}}
	var manager login.Manager = window{show: func(link string) string {
		target, _ := url.Parse(link)
		fmt.Println("shown:", target.Host+target.Path)
		return "" // the person closed the window
	}}
	_, _, err = manager.Login(context.Background(), native)
	fmt.Println(err)
	// Output:
	// shown: auth.globus.org/v2/oauth2/authorize
	// flows: finish login: callback: the code is missing, longer than 4096 bytes or contains invalid characters; paste only the code
}

// A program tells the manager what it knows of the machine; without a browser
// the link is printed and the code typed.
func ExampleLoopback() {
	environment := map[string]string{"SSH_TTY": "/dev/pts/3"} // os.Getenv in a program
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		log.Fatal(err)
	}
	native := flows.Config{Auth: auth, ClientID: "7fb58e00-839d-44e3-8047-10a502612dca", Scopes: scopes.List{scopes.TransferAll}}
	manager := login.Loopback{
		Name:     "my-tool",
		Out:      io.Discard,
		Getenv:   func(name string) string { return environment[name] },
		Fallback: window{show: func(string) string { fmt.Println("asked for a code"); return "" }},
	}
	_, _, err = manager.Login(context.Background(), native)
	fmt.Println(err != nil)
	// Output:
	// asked for a code
	// true
}
