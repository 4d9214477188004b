package app_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

var errTest = errors.New("made by the test")

func TestNewUser_Tokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	wantLogin(t, user.LoginRequired(t.Context()), app.ErrMissingToken)
	first := token(t, user.Source(scopes.TransferResourceServer))
	if w.person.count() != 1 || first.RefreshToken == "" || first.IdentityID != w.Ready().Users[0].IdentityID {
		t.Errorf("%d logins, token %v", w.person.count(), first)
	}
	asked := w.person.last(t)
	if !hasScopes(asked.Get("scope"), scopes.AuthOpenID, scopes.TransferAll) || asked.Get("access_type") != "offline" ||
		!strings.HasPrefix(asked.Get("prefill_named_grant"), "my-tool on ") {
		t.Errorf("asked for %v", asked)
	}
	if err := user.LoginRequired(t.Context()); err != nil {
		t.Error(err)
	}
	// Another process finds the login.
	again := w.user(t, func(c *app.Config) { c.NoLogin = true })
	if second := token(t, again.Source(scopes.TransferResourceServer)); second != first {
		t.Errorf("second process: %v", second)
	}
	// Renewal when due, without a login.
	w.Advance(48*time.Hour - 59*time.Second)
	fresh := token(t, again.Source(scopes.TransferResourceServer))
	if fresh.AccessToken == first.AccessToken || w.person.count() != 1 || w.stored(t, scopes.TransferResourceServer) != fresh {
		t.Errorf("after two days: %v, %d logins", fresh, w.person.count())
	}
	info, err := again.AuthClient().GetUserinfo(t.Context())
	if err != nil || info.Sub != w.Ready().Users[0].IdentityID {
		t.Errorf("userinfo %v, %v", info, err)
	}
}

func TestAppLoginRequired_Reasons(t *testing.T) {
	t.Parallel()
	collection := scopes.CollectionDataAccess("11111111-1111-4111-8111-111111111111")
	for name, test := range map[string]struct {
		change func(w *world, c *app.Config)
		want   error
	}{
		"nothing stored": {func(w *world, _ *app.Config) {
			_ = w.store.Delete(context.Background(), w.key())
		}, app.ErrMissingToken},
		"another namespace": {func(_ *world, c *app.Config) { c.Namespace = "bob" }, app.ErrMissingToken},
		"another client":    {func(w *world, c *app.Config) { c.ClientID = w.Ready().TemplateID }, app.ErrMissingToken},
		"scope not granted": {func(_ *world, c *app.Config) { c.Scopes = append(c.Scopes, scopes.GroupsAll) }, app.ErrUnmetScopes},
		"no consent":        {func(_ *world, c *app.Config) { c.Scopes = scopes.List{scopes.TransferAll.With(collection)} }, app.ErrUnmetScopes},
		"no refresh token":  {func(w *world, _ *app.Config) { w.change(t, func(s *tokens.Token) { s.RefreshToken = "" }) }, app.ErrMissingRefreshToken},
		"expired for good": {func(w *world, _ *app.Config) {
			w.change(t, func(s *tokens.Token) { s.RefreshToken = "" })
			w.Advance(48 * time.Hour)
		}, app.ErrTokenExpired},
		"expired, renewable": {func(w *world, _ *app.Config) { w.Advance(48 * time.Hour) }, nil},
		"no refresh token, nor asked for": {func(w *world, c *app.Config) {
			w.change(t, func(s *tokens.Token) { s.RefreshToken = "" })
			c.NoRefreshTokens = true
		}, nil},
		"tokens of two people": {func(w *world, _ *app.Config) {
			w.change(t, func(s *tokens.Token) {
				if s.ResourceServer == scopes.TransferResourceServer {
					s.IdentityID = "another"
				}
			})
		}, app.ErrIdentityMismatch},
		"offline_access": {func(_ *world, c *app.Config) { c.Scopes = append(c.Scopes, "offline_access") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			if err := w.user(t, nil).Login(t.Context(), app.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			config := w.config()
			config.NoLogin = true
			test.change(w, &config)
			user := w.user(t, func(c *app.Config) { *c = config })
			err := user.LoginRequired(t.Context())
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				token(t, user.Source(scopes.TransferResourceServer))
				return
			}
			wantLogin(t, err, test.want)
			got, err := user.Source(scopes.TransferResourceServer).Token(t.Context())
			if errors.Is(test.want, app.ErrMissingRefreshToken) {
				// It works until it ends.
				if err != nil || got.AccessToken == "" {
					t.Errorf("token %v, %v", got, err)
				}
				return
			}
			wantLogin(t, err, test.want)
			if w.person.count() != 1 {
				t.Errorf("%d logins", w.person.count())
			}
		})
	}
}

// A dependency is looked up among the consents, and asked for by a login.
func TestAppLoginRequired_Dependencies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	ready := w.Ready()
	user := w.user(t, nil)
	token(t, user.Source(scopes.TransferResourceServer))
	if err := user.AddScopes(scopes.Scope(ready.Dependent.Parent).With(scopes.Scope(ready.Dependent.Child))); err != nil {
		t.Fatal(err)
	}
	wantLogin(t, user.LoginRequired(t.Context()), app.ErrUnmetScopes)
	token(t, user.Source(scopes.TransferResourceServer))
	if w.person.count() != 2 || !strings.Contains(w.person.last(t).Get("scope"), "["+ready.Dependent.Child+"]") {
		t.Errorf("%d logins, the last for %q", w.person.count(), w.person.last(t).Get("scope"))
	}
	consents := func() int {
		count := 0
		for _, n := range w.Stats().Operations["getConsents"] {
			count += n
		}
		return count
	}
	before := consents()
	for range 3 {
		if err := user.LoginRequired(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if after := consents(); before == 0 || after != before {
		t.Errorf("consents fetched %d times, then %d", before, after)
	}
	// A program whose consents cannot be looked up still has its token.
	other := w.user(t, func(c *app.Config) {
		c.Scopes, c.NoLogin = scopes.List{scopes.Scope(ready.Dependent.Parent).With(scopes.Scope(ready.Dependent.Child))}, true
	})
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "getConsents"})
	if err := other.LoginRequired(t.Context()); err == nil || errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, apierror.ErrServer) {
		t.Errorf("without consents: %v", err)
	}
	token(t, other.Source(scopes.TransferResourceServer))
}

func TestAppAddScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	first := token(t, user.Source(scopes.TransferResourceServer))
	if _, err := user.Source(scopes.GroupsResourceServer).Token(t.Context()); !errors.Is(err, app.ErrMissingToken) {
		t.Errorf("a resource server without a scope: %v", err)
	}
	if w.person.count() != 1 {
		t.Errorf("%d logins for what no login can give", w.person.count())
	}
	if err := user.AddScopes(scopes.GroupsAll); err != nil {
		t.Fatal(err)
	}
	groups := token(t, user.Source(scopes.GroupsResourceServer))
	if !hasScopes(groups.Scope, scopes.GroupsAll) || w.person.count() != 2 {
		t.Errorf("token %v, %d logins", groups, w.person.count())
	}
	if second := token(t, user.Source(scopes.TransferResourceServer)); second.AccessToken == first.AccessToken {
		t.Error("the token of the login before is still given out")
	}
	if err := user.AddScopes("not[a scope"); !errors.Is(err, scopes.ErrSyntax) {
		t.Errorf("a malformed scope: %v", err)
	}
	if err := user.LoginRequired(t.Context()); err != nil {
		t.Errorf("after a malformed scope: %v", err)
	}
}

func TestAppSource_RevokedRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	token(t, w.user(t, nil).Source(scopes.TransferResourceServer))
	if _, err := w.store.Update(t.Context(), w.key(), func(current tokens.Set) (tokens.Set, error) {
		list := current.All()
		for i := range list {
			list[i].RefreshToken += "x" // as good as revoked
		}
		return tokens.NewSet(list...)
	}); err != nil {
		t.Fatal(err)
	}
	w.Advance(49 * time.Hour)
	watched := w.user(t, func(c *app.Config) { c.NoLogin = true })
	_, err := watched.Source(scopes.TransferResourceServer).Token(t.Context())
	if !errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("error %v", err)
	}
	user := w.user(t, nil)
	got := token(t, user.Source(scopes.TransferResourceServer))
	if w.person.count() != 2 || got.RefreshToken == "" || strings.HasSuffix(got.RefreshToken, "x") {
		t.Errorf("%d logins, token %v", w.person.count(), got)
	}
	// The other process uses the new login.
	token(t, watched.Source(scopes.TransferResourceServer))
}

// What is lost on the way back from the service is an error, and the next attempt works.
func TestAppSource_FaultsOfTheService(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]authtest.Fault{
		"5xx":       {Kind: authtest.FaultStatus, Status: http.StatusBadGateway},
		"429":       {Kind: authtest.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 1},
		"dropped":   {Kind: authtest.FaultDropBefore},
		"malformed": {Kind: authtest.FaultMalformed},
		"truncated": {Kind: authtest.FaultTruncate},
		"lost":      {Kind: authtest.FaultDropAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			user := w.user(t, nil)
			source := user.Source(scopes.TransferResourceServer)
			first := token(t, source)
			w.Advance(49 * time.Hour)
			fault.Times, fault.Operation = 1, "token"
			w.Inject(fault)
			if _, err := source.Token(t.Context()); err == nil || errors.Is(err, tokens.ErrLoginRequired) {
				t.Errorf("error %v", err)
			}
			if w.stored(t, scopes.TransferResourceServer) != first {
				t.Error("the store was changed")
			}
			if got := token(t, source); got.AccessToken == first.AccessToken || w.person.count() != 1 {
				t.Errorf("token %v, %d logins", got, w.person.count())
			}
		})
	}
}

// Many goroutines and one person: one login.
func TestApp_ConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			name := []string{scopes.TransferResourceServer, scopes.AuthResourceServer}[i%2]
			if _, err := user.Source(name).Token(t.Context()); err != nil {
				t.Error(err)
			}
			if i%8 == 0 {
				if err := user.AddScopes(scopes.TransferAll); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if w.person.count() != 1 {
		t.Errorf("%d logins", w.person.count())
	}
	// So it is when the service has ended the login.
	w.change(t, func(s *tokens.Token) { s.RefreshToken += "x" })
	w.Advance(49 * time.Hour)
	for range 64 {
		all.Go(func() {
			if _, err := user.Source(scopes.TransferResourceServer).Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.person.count() != 2 {
		t.Errorf("%d logins", w.person.count())
	}
}

// A caller that waits for another's login waits no longer than its own context.
func TestAppLogin_WaitsForAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	w.person.hold = make(chan struct{})
	user := w.user(t, nil)
	first := make(chan error, 1)
	go func() { first <- user.Login(t.Context(), app.LoginOptions{Force: true}) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := user.Source(scopes.TransferResourceServer).Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(w.person.hold)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestAppLogin_Fails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	w.person.refuse = errTest
	user := w.user(t, nil)
	if _, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer); !errors.Is(err, errTest) {
		t.Errorf("error %v", err)
	}
	w.person.refuse = nil
	if _, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
}

func TestAppLogin_Options(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	for i, test := range []struct {
		options app.LoginOptions
		runs    bool
	}{
		{app.LoginOptions{}, true},
		{app.LoginOptions{}, false},
		{app.LoginOptions{Force: true}, true},
		{app.LoginOptions{Authorization: apierror.AuthorizationParameters{Prompt: "login"}}, true},
		{app.LoginOptions{Authorization: apierror.AuthorizationParameters{SessionMessage: "why"}}, true},
		{app.LoginOptions{Authorization: apierror.AuthorizationParameters{RequiredScopes: []string{string(scopes.GroupsAll)}}}, true},
	} {
		before := w.person.count()
		if err := user.Login(t.Context(), test.options); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
		if runs := w.person.count() > before; runs != test.runs {
			t.Errorf("login %d runs: %t", i, runs)
		}
	}
	if !hasScopes(w.person.last(t).Get("scope"), scopes.GroupsAll, scopes.TransferAll) || w.stored(t, scopes.GroupsResourceServer).AccessToken == "" {
		t.Errorf("asked for %v", w.person.last(t))
	}
}

func TestNewUser_Confidential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	ready := w.Ready()
	user := w.user(t, func(c *app.Config) {
		c.ClientID, c.ClientSecret, c.RedirectURI = ready.ConfidentialClientID, ready.ConfidentialClientSecret, ready.ConfidentialRedirectURI
	})
	first := token(t, user.Source(scopes.TransferResourceServer))
	w.Advance(48 * time.Hour)
	if second := token(t, user.Source(scopes.TransferResourceServer)); second.AccessToken == first.AccessToken {
		t.Error("not refreshed")
	}
	if err := user.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Error(err)
	}
}
