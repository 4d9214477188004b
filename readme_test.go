package globusauth_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

// TestReadme_QuickStart runs the code of the README against the test double.
func TestReadme_QuickStart(t *testing.T) {
	server := authtest.New(t)
	t.Setenv("GLOBUS_SDK_SERVICE_URL_AUTH", server.BaseURL())
	ctx, clientID := t.Context(), server.Ready().NativeClientID
	out := &strings.Builder{}
	readLine := func() string { // the user opens the link, logs in, and copies the code
		target, err := server.Login(ctx, "alice@example.edu", regexp.MustCompile(`http\S+`).FindString(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		return target.Query().Get("code")
	}

	config, err := globusauth.FromEnvironment() // production by default
	if err != nil {
		t.Fatal(err)
	}
	auth, err := globusauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	oauth := flows.Config{
		Auth: auth, ClientID: clientID, RefreshTokens: true,
		Scopes: scopes.List{scopes.AuthOpenID, scopes.TransferAll},
	}
	login, err := oauth.Start()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(out, "Open", login.URL(), "and paste the code:")
	set, _, err := login.FinishCode(ctx, readLine()) // checks state, PKCE, nonce and signature
	if err != nil {
		t.Fatal(err)
	}
	transfer, ok := set.ByResourceServer(scopes.TransferResourceServer)

	if !ok || transfer.Scope != string(scopes.TransferAll) || transfer.RefreshToken == "" {
		t.Errorf("got %v, %v", transfer, ok)
	}
}
