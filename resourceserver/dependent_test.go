package resourceserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestCallerInfoHTTPClient_CachesTheDependentToken(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	api := w.api(t, resourceserver.Config{})
	caller, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
	if err != nil {
		t.Fatal(err)
	}
	w.ResetStats()
	for range 3 {
		if _, err := caller.Token(t.Context(), scopes.GroupsViewMyGroups); err != nil {
			t.Fatal(err)
		}
	}
	w.AssertOperations("token")
}

// TestCallerInfoToken_UnusableResponse tells what the caller can change from what the program or the service must.
func TestCallerInfoToken_UnusableResponse(t *testing.T) {
	t.Parallel()
	const token = `{"access_token":"a","token_type":"Bearer","expires_in":3600,"resource_server":"groups.api.globus.org","scope":"urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"}`
	two := scopes.List{scopes.GroupsViewMyGroups, scopes.TransferAll}
	for name, test := range map[string]struct {
		response string
		scopes   scopes.List
		status   int
		required string
	}{
		"no scope":                 {"[]", scopes.List{}, http.StatusInternalServerError, ""},
		"invalid scope":            {"[]", scopes.List{"a b"}, http.StatusInternalServerError, ""},
		"no token":                 {"[]", two[:1], http.StatusForbidden, string(jobs.With(two[0]))},
		"token of another service": {"[" + token + "]", two[1:], http.StatusForbidden, string(jobs.With(two[1]))},
		"scopes of two services": {
			"[" + token + "," + strings.NewReplacer("groups.api", "transfer.api", "view_my_groups_and_memberships", "all").Replace(token) + "]",
			two, http.StatusInternalServerError, "",
		},
		"unreadable token": {"[" + token + `,{"access_token":7}]`, two[1:], http.StatusServiceUnavailable, ""},
		"unreadable":       {"[", two[:1], http.StatusServiceUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.respondTo(t, "/v2/oauth2/token", func(*http.Request) (int, string) { return http.StatusOK, test.response })
			api := w.api(t, resourceserver.Config{})
			handler := api.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := resourceserver.Caller(r.Context()).Token(r.Context(), test.scopes...)
				api.Deny(w, r, err)
			}))
			response, body := call(t, handler, "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username}))
			parameters, _ := body["authorization_parameters"].(map[string]any)
			required, _ := parameters["required_scopes"].([]any)
			if response.Code != test.status || (test.required != "") != slices.Equal(required, []any{test.required}) {
				t.Errorf("%d %v, want %d %s", response.Code, body, test.status, test.required)
			}
		})
	}
}

// respondTo replaces the responses of the service at a path.
func (w *world) respondTo(tb testing.TB, path string, respond func(*http.Request) (status int, body string)) {
	tb.Helper()
	w.OAuth.Auth = w.clientOver(tb, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != path {
				return next.RoundTrip(r)
			}
			status, body := respond(r)
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
	})
}

func TestCallerInfoOffline_ActsLater(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	api := w.api(t, resourceserver.Config{Store: tokens.NewMemory()})
	caller, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Offline(t.Context(), scopes.GroupsViewMyGroups); err != nil {
		t.Fatal(err)
	}
	w.Advance(72 * time.Hour)
	source, err := api.Offline(caller.Subject, scopes.GroupsResourceServer)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := source.Token(t.Context()); err != nil || !token.Expiry.After(w.Now()) {
		t.Errorf("the token after three days: %v, %v", token, err)
	}
}

// store is a tokens.Store that takes its time, and may fail after fn.
type store struct {
	*tokens.Memory

	wait time.Duration
	fail error
}

func (s *store) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	time.Sleep(s.wait)
	return s.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
		next, err := fn(current)
		return next, errors.Join(err, s.fail)
	})
}

// TestCallerInfoOffline_Store wants no refresh token that is valid and not stored, however slow or broken the store is.
func TestCallerInfoOffline_Store(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for name, test := range map[string]struct {
		calls   int
		wait    time.Duration
		fail    error
		leaves  bool // the client leaves during the grant
		invalid bool // no scope is given
		want    []string
	}{
		"stored":           {calls: 1, want: []string{"token"}},
		"replaced":         {calls: 2, want: []string{"token", "token", "revoke"}},
		"slow":             {calls: 1, wait: 25 * time.Second, want: []string{"token"}},
		"the client left":  {calls: 1, leaves: true, want: []string{"token"}},
		"cannot be stored": {calls: 1, fail: full, want: []string{"token", "revoke", "revoke"}},
		"no scope":         {calls: 1, invalid: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := groupWorld(t)
				keeper := &store{Memory: tokens.NewMemory(), wait: test.wait, fail: test.fail}
				api := w.api(t, resourceserver.Config{Store: keeper})
				caller, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if test.leaves {
					w.Inject(authtest.Fault{Kind: authtest.FaultLatency, Operation: "token", Latency: 2 * time.Second})
					time.AfterFunc(time.Second, leave)
				}
				wanted := scopes.List{scopes.GroupsViewMyGroups}
				if test.invalid {
					wanted = nil
				}
				w.ResetStats()
				for range test.calls {
					if err := caller.Offline(ctx, wanted...); (err == nil) != (test.fail == nil && !test.invalid) || test.fail != nil && !errors.Is(err, test.fail) {
						t.Errorf("got %v", err)
					}
				}
				w.AssertOperations(test.want...)
				if test.fail != nil || test.invalid {
					return
				}
				w.Advance(72 * time.Hour)
				source, err := api.Offline(caller.Subject, scopes.GroupsResourceServer)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := source.Token(t.Context()); err != nil {
					t.Errorf("the stored refresh token: %v", err)
				}
			})
		})
	}
}
