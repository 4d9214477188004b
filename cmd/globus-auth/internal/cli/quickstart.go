package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) quickstart() *cobra.Command {
	return &cobra.Command{
		Use:   "quickstart",
		Short: "Show a whole login, step by step, without a network",
		Long: `Show a whole login, step by step, over real HTTP: a person logs in, tokens come
back for each service, the ID token is verified, identities are looked up, a
token is introspected, exchanged, refreshed and revoked.

The service is a test double of Globus Auth in this process. No network is
needed, and nothing is stored.`,
		Args: exactArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.runQuickstart(cmd.Context()) },
	}
}

func (r *runner) runQuickstart(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, err := authtest.NewServer(authtest.Config{BaseURL: "http://" + listener.Addr().String()})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	return serve(ctx, listener, server.Handler(), func() error {
		defer stop()
		return r.tour(ctx, server.Ready())
	})
}

// tour runs the steps against a server.
func (r *runner) tour(ctx context.Context, world authtest.Ready) error {
	client, err := globusauth.New(globusauth.Config{BaseURL: world.BaseURL, AppName: appName})
	if err != nil {
		return err
	}
	t := &tour{
		runner: r, world: world, client: client,
		portal: flows.Config{Auth: client, ClientID: world.ConfidentialClientID, ClientSecret: world.ConfidentialClientSecret},
		native: flows.Config{
			Auth: client, ClientID: world.NativeClientID, RefreshTokens: true,
			Scopes: append(defaultScopes(), scopes.TransferAll, scopes.Scope(world.DependentGrant.Scope)),
		},
	}
	_, _ = fmt.Fprintf(r.Out, "A test double of Globus Auth listens on %s in this process.\n", world.BaseURL)
	for i, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"A person logs in to a command-line tool (native app, PKCE)", t.logIn},
		{"Tokens came back, one for each service", t.showTokens},
		{"The ID token says who logged in, and is verified", t.verify},
		{"Identities are looked up by username and by ID", t.identities},
		{"A service asks what a token is for (introspection)", t.introspect},
		{"The service acts for the person elsewhere (dependent tokens)", t.dependentTokens},
		{"A token is refreshed", t.refresh},
		{"A token is revoked", t.revoke},
	} {
		_, _ = fmt.Fprintf(r.Out, "\n%d. %s\n", i+1, step.title)
		if err := step.run(ctx); err != nil {
			return &problem{words: fmt.Sprintf("step %d (%s) failed", i+1, step.title), err: err}
		}
	}
	_, _ = fmt.Fprint(r.Out, "\nThat was all of it, over HTTP.\nNext: \"globus-auth emulator\" keeps such a service running for your own program.\n")
	return nil
}

// tour is the state that the steps share.
type tour struct {
	*runner
	world          authtest.Ready
	client         *globusauth.Client
	native, portal flows.Config
	set            tokens.Set   // of the login
	shared         tokens.Token // of the set, for the portal
}

func (t *tour) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.Out, "   "+format+"\n", args...)
}

// logIn does what the browser of a signed-in person does.
func (t *tour) logIn(ctx context.Context) error {
	person := t.world.Users[0].Username
	login, err := t.native.Start(flows.WithParameter("login_hint", person))
	if err != nil {
		return err
	}
	link, _, _ := strings.Cut(login.URL(), "?")
	t.say("link for the browser  %s?...", link)
	code, err := t.visit(ctx, login.URL())
	if err != nil {
		return err
	}
	t.say("%s allows it, and copies the code %s", person, shorten(code))
	if t.set, _, err = login.FinishCode(ctx, code); err != nil {
		return err
	}
	t.shared, err = t.set.ByScopes(scopes.Scope(t.world.DependentGrant.Scope))
	return err
}

// visit follows a link to the code.
func (t *tour) visit(ctx context.Context, link string) (string, error) {
	browser := t.client.HTTPClient()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return "", errors.New("the link could not be opened")
	}
	defer func() { _ = resp.Body.Close() }()
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || target.Query().Get("code") == "" {
		return "", fmt.Errorf("the link led to no code (status %d)", resp.StatusCode)
	}
	return target.Query().Get("code"), nil
}

func (t *tour) showTokens(context.Context) error {
	rows := table{{"   SERVICE", "ACCESS TOKEN", "REFRESH TOKEN", "VALID FOR"}}
	for _, token := range t.set.All() {
		rows.row("   "+token.ResourceServer, shorten(token.AccessToken), shorten(token.RefreshToken), t.left(token))
	}
	return t.printTable(rows)
}

func (t *tour) left(token tokens.Token) string {
	return fmt.Sprintf("%.0f h", token.Expiry.Sub(t.client.Now()).Hours())
}

func (t *tour) verify(ctx context.Context) error {
	// FinishCode has verified it already, nonce included. A program does this with an ID token
	// from elsewhere.
	raw, _ := t.set.IDToken()
	verifier, expect := t.client.IDTokens(), idtoken.Expect{ClientID: t.native.ClientID, NoNonce: true}
	claims, err := verifier.Verify(ctx, raw, expect)
	if err != nil {
		return err
	}
	t.say("subject   %s", claims.Sub)
	t.say("username  %s", claims.PreferredUsername)
	t.say("name      %s, %s", claims.Name, claims.Organization)
	for _, linked := range claims.IdentitySet {
		t.say("linked    %s (%s)", linked.Username, linked.IdentityProviderDisplayName)
	}
	forged := raw[:len(raw)-8] + "AAAAAAAA"
	if _, err = verifier.Verify(ctx, forged, expect); err == nil {
		return errors.New("a forged ID token was accepted")
	}
	t.say("forged    %s", strings.Join(wrap("refused: "+cause(err), 66), "\n             "))
	return nil
}

func (t *tour) identities(ctx context.Context) error {
	token, _ := t.set.ByResourceServer(scopes.AuthResourceServer)
	people, err := identitymap.New(identitymap.Config{Client: t.client.WithCredentials(globusauth.Bearer(token.AccessToken))})
	if err != nil {
		return err
	}
	keys := []string{"nobody@" + t.world.IdentityProvider.Domain}
	for i, user := range t.world.Users {
		keys = append(keys, [...]string{user.Username, user.IdentityID}[i%2])
	}
	found, err := people.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	var rows table
	for _, key := range keys {
		switch person := found[key].Identity; person.ID {
		case "":
			rows.row("   "+key, "not found")
		case key:
			rows.row("   "+key, person.Username)
		default:
			rows.row("   "+key, person.ID)
		}
	}
	return t.printTable(rows)
}

func (t *tour) introspect(ctx context.Context) error {
	info, err := t.portal.Introspect(ctx, t.shared.AccessToken, flows.IntrospectOptions{IdentitySet: true, SessionInfo: true})
	if err != nil {
		return err
	}
	if !info.Active {
		return errors.New("the token is not active")
	}
	t.say("active, for %s", info.Username)
	t.say("scope         ...%s", info.Scope[strings.LastIndexByte(info.Scope, '/'):])
	t.say("identities    %d, authenticated in this session: %d", len(info.IdentitySet), len(info.SessionInfo.Authentications))
	return nil
}

func (t *tour) dependentTokens(ctx context.Context) error {
	set, err := t.portal.DependentTokens(ctx, t.shared.AccessToken, flows.DependentOptions{})
	if err != nil {
		return err
	}
	var rows table
	for _, token := range set.All() {
		rows.row("   "+token.ResourceServer, shorten(token.AccessToken), token.Scope[strings.LastIndexByte(token.Scope, ':')+1:])
	}
	return t.printTable(rows)
}

func (t *tour) refresh(ctx context.Context) error {
	old, _ := t.set.ByResourceServer(scopes.TransferResourceServer)
	set, err := t.native.Refresh(ctx, old)
	if err != nil {
		return err
	}
	fresh, _ := set.ByResourceServer(scopes.TransferResourceServer)
	t.say("%s  %s became %s, valid for %s", fresh.ResourceServer, shorten(old.AccessToken), shorten(fresh.AccessToken), t.left(fresh))
	return nil
}

func (t *tour) revoke(ctx context.Context) error {
	if err := t.native.Revoke(ctx, t.shared.AccessToken); err != nil {
		return err
	}
	info, err := t.portal.Introspect(ctx, t.shared.AccessToken, flows.IntrospectOptions{})
	if err != nil {
		return err
	}
	if info.Active {
		return errors.New("the token is still active")
	}
	t.say("%s is no longer active", shorten(t.shared.AccessToken))
	return nil
}

// shorten shows enough of a secret to tell it from another, and too little to use it.
func shorten(secret string) string {
	const shown = 4
	switch {
	case secret == "":
		return "-"
	case len(secret) < 6*shown:
		return "..."
	}
	return secret[:shown] + "..." + secret[len(secret)-shown:]
}
