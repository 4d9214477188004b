package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

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
		Long: `Show a whole login, step by step, over real HTTP: a person logs in, tokens come back
for each service, the ID token is verified, identities are looked up, a token is
introspected, exchanged, refreshed and revoked.

The service is a test double of Globus Auth in this process, unless --base-url names a
running "globus-auth emulator". No network is needed, and nothing is stored.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.runQuickstart(cmd.Context()) },
	}
}

func (r *runner) runQuickstart(ctx context.Context) error {
	world, stop, err := r.quickstartWorld(ctx)
	if err != nil {
		return err
	}
	defer stop()
	client, err := globusauth.New(globusauth.Config{BaseURL: world.BaseURL, AppName: appName})
	if err != nil {
		return err
	}
	tour := &tour{
		out: r.Out, world: world, client: client,
		portal: flows.Config{Auth: client, ClientID: world.ConfidentialClientID, ClientSecret: world.ConfidentialClientSecret},
		native: flows.Config{
			Auth: client, ClientID: world.NativeClientID, RefreshTokens: true,
			Scopes: scopes.List{
				scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail, scopes.AuthViewIdentitySet, scopes.AuthViewIdentities,
				scopes.TransferAll, scopes.Scope(world.DependentGrant.Scope),
			},
		},
	}
	steps := []struct {
		title string
		run   func(context.Context) error
	}{
		{"A person logs in to a command-line tool (native app, PKCE)", tour.logIn},
		{"Tokens came back, one for each service", tour.showTokens},
		{"The ID token says who logged in, and is verified", tour.verify},
		{"Identities are looked up by username and by ID", tour.identities},
		{"A service asks what a token is for (introspection)", tour.introspect},
		{"The service acts for the person elsewhere (dependent tokens)", tour.dependentTokens},
		{"A token is refreshed", tour.refresh},
		{"A token is revoked", tour.revoke},
	}
	for i, step := range steps {
		_, _ = fmt.Fprintf(r.Out, "\n%d. %s\n", i+1, step.title)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("step %d (%s) failed: %w", i+1, step.title, err)
		}
	}
	_, _ = fmt.Fprintf(r.Out, `
That was all of it, over HTTP, against %s.
Next: "globus-auth emulator" keeps such a service running for your own program.
`, world.BaseURL)
	return nil
}

// quickstartWorld starts a double, or asks a running one what is in it.
func (r *runner) quickstartWorld(ctx context.Context) (authtest.Ready, func(), error) {
	if r.baseURL == "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return authtest.Ready{}, nil, err
		}
		double, err := authtest.NewServer(authtest.Config{BaseURL: "http://" + listener.Addr().String()})
		if err != nil {
			return authtest.Ready{}, nil, err
		}
		serving, stop := context.WithCancel(ctx)
		ready, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_ = serve(serving, listener, double.Handler(), func() error { close(ready); return nil })
		}()
		<-ready
		_, _ = fmt.Fprintf(r.Out, "A test double of Globus Auth listens on %s in this process.\n", double.BaseURL())
		return double.Ready(), func() { stop(); <-ended }, nil
	}
	client, err := r.newClient(nil)
	if err != nil {
		return authtest.Ready{}, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, client.BaseURL()+"_authtest/ready", nil)
	if err != nil {
		return authtest.Ready{}, nil, err
	}
	resp, err := client.HTTPClient().Do(req)
	if err != nil {
		return authtest.Ready{}, nil, fmt.Errorf("no emulator responds: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var world authtest.Ready
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&world); resp.StatusCode != http.StatusOK || err != nil || len(world.Users) == 0 || world.NativeClientID == "" {
		return authtest.Ready{}, nil, fmt.Errorf("%s is not a \"globus-auth emulator\": it does not list its users and clients (status %d)", client.BaseURL(), resp.StatusCode)
	}
	world.BaseURL = client.BaseURL()
	_, _ = fmt.Fprintf(r.Out, "Using the emulator of Globus Auth at %s.\n", world.BaseURL)
	return world, func() {}, nil
}

// tour is the state that the steps hand on.
type tour struct {
	out    io.Writer
	world  authtest.Ready
	client *globusauth.Client
	native flows.Config
	portal flows.Config
	set    tokens.Set
}

func (t *tour) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, "   "+format+"\n", args...)
}

// logIn does what the person's browser would: it follows the link to the page
// that shows the code.
func (t *tour) logIn(ctx context.Context) error {
	person := t.world.Users[0].Username
	login, err := t.native.Start(flows.WithParameter("login_hint", person))
	if err != nil {
		return err
	}
	link, _, _ := strings.Cut(login.URL(), "?")
	t.say("link for the browser  %s?client_id=%s&...", link, t.native.ClientID)
	code, err := t.visit(ctx, login.URL())
	if err != nil {
		return err
	}
	t.say("%s allows it, and copies the code %s", person, shorten(code))
	t.set, _, err = login.FinishCode(ctx, code)
	return err
}

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
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "   SERVICE\tACCESS TOKEN\tREFRESH TOKEN\tVALID FOR")
	for _, token := range t.set.All() {
		_, _ = fmt.Fprintf(w, "   %s\t%s\t%s\t%s\n", token.ResourceServer, shorten(token.AccessToken), shorten(token.RefreshToken), t.left(token.Expiry))
	}
	return w.Flush()
}

func (t *tour) left(expiry time.Time) string {
	return expiry.Sub(t.client.Now()).Round(time.Minute).String()
}

func (t *tour) verify(ctx context.Context) error {
	raw, ok := t.set.IDToken()
	if !ok {
		return errors.New("no ID token came back")
	}
	verifier, err := t.client.IDTokenVerifier(t.native.ClientID)
	if err != nil {
		return err
	}
	// FinishCode has checked it already, nonce included; this shows what a
	// program does with an ID token that came some other way.
	claims, err := verifier.Verify(ctx, raw, idtoken.Expect{NoNonce: true})
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
	if _, err := verifier.Verify(ctx, forged, idtoken.Expect{NoNonce: true}); err == nil {
		return errors.New("a forged ID token was accepted")
	} else {
		t.say("forged    refused: %v", err)
	}
	return nil
}

func (t *tour) identities(ctx context.Context) error {
	token, ok := t.set.ByResourceServer(scopes.AuthResourceServer)
	if !ok {
		return errors.New("no token for Globus Auth came back")
	}
	people, err := identitymap.New(identitymap.Config{Client: t.client.WithCredentials(globusauth.Bearer(token.AccessToken)), Providers: true})
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
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, key := range keys {
		result := found[key]
		if errors.Is(result.Err, identitymap.ErrNotFound) {
			_, _ = fmt.Fprintf(w, "   %s\tnot found\n", key)
			continue
		}
		_, _ = fmt.Fprintf(w, "   %s\t%s\t%s\t%s\n", key, result.Identity.Username, result.Identity.ID, result.Identity.Name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	t.say("%d keys", len(keys))
	return nil
}

func (t *tour) portalToken() (tokens.Token, error) {
	return t.set.ByScopes(scopes.Scope(t.world.DependentGrant.Scope))
}

func (t *tour) introspect(ctx context.Context) error {
	token, err := t.portalToken()
	if err != nil {
		return err
	}
	answer, err := t.portal.Introspect(ctx, token.AccessToken, flows.IntrospectOptions{IdentitySet: true, SessionInfo: true})
	if err != nil {
		return err
	}
	if !answer.Active {
		return errors.New("the token is not active")
	}
	t.say("active, for %s", answer.Username)
	t.say("scope         %s", answer.Scope)
	t.say("identities    %d, authenticated in this session: %d", len(answer.IdentitySet), len(answer.SessionInfo.Authentications))
	return nil
}

func (t *tour) dependentTokens(ctx context.Context) error {
	token, err := t.portalToken()
	if err != nil {
		return err
	}
	set, err := t.portal.DependentTokens(ctx, token.AccessToken, flows.DependentOptions{})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, token := range set.All() {
		_, _ = fmt.Fprintf(w, "   %s\t%s\t%s\n", token.ResourceServer, shorten(token.AccessToken), token.Scopes())
	}
	return w.Flush()
}

func (t *tour) refresh(ctx context.Context) error {
	token, ok := t.set.ByResourceServer(scopes.TransferResourceServer)
	if !ok {
		return errors.New("no token for Transfer came back")
	}
	set, err := t.native.Refresh(ctx, token)
	if err != nil {
		return err
	}
	fresh, ok := set.ByResourceServer(scopes.TransferResourceServer)
	if !ok || fresh.AccessToken == token.AccessToken {
		return errors.New("the refresh gave no new token")
	}
	t.set = t.set.Merge(set)
	t.say("%s  %s became %s, valid for %s", fresh.ResourceServer, shorten(token.AccessToken), shorten(fresh.AccessToken), t.left(fresh.Expiry))
	return nil
}

func (t *tour) revoke(ctx context.Context) error {
	token, err := t.portalToken()
	if err != nil {
		return err
	}
	if err := t.native.Revoke(ctx, token.AccessToken); err != nil {
		return err
	}
	answer, err := t.portal.Introspect(ctx, token.AccessToken, flows.IntrospectOptions{})
	if err != nil {
		return err
	}
	if answer.Active {
		return errors.New("the token is still active")
	}
	t.say("%s is no longer active", shorten(token.AccessToken))
	return nil
}

// shorten shows enough of a secret to tell it from another, and too little to
// use it.
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
