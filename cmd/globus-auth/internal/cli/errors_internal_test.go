package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/tokens"
)

// wrapped puts words before an error, as the library does.
func wrapped(words string, err error) error { return fmt.Errorf("%s: %w", words, err) }

func TestRunnerText_OneSentence(t *testing.T) {
	t.Parallel()
	refusal := &apierror.Error{Operation: "Revoke", StatusCode: 401, Code: "UNAUTHORIZED", Message: "Basic auth failed"}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"refused": {
			wrapped("app: log out", wrapped(`token for "a"`, wrapped("flows: revoke token", refusal))),
			"UNAUTHORIZED: Basic auth failed (status 401); check the client ID and secret",
		},
		"unreachable": {
			wrapped("app: log out", wrapped(`token for "a"`, errors.New("globusauth: Revoke: cannot reach http://127.0.0.1:1/ (Config.BaseURL): dial tcp"))),
			"cannot reach http://127.0.0.1:1/ (GLOBUS_SDK_SERVICE_URL_AUTH): dial tcp",
		},
		"file": {
			wrapped("app: log in", &fs.PathError{Op: "open", Path: "/tmp/app: log in: no", Err: fs.ErrPermission}),
			"open /tmp/app: log in: no: permission denied",
		},
		"login required": {
			wrapped("globusauth: the token was refused (status 401)", fmt.Errorf("app: token: %w: %w: scope a", tokens.ErrLoginRequired, app.ErrUnmetScopes)),
			`a new login is needed: scopes were not granted: scope a: run "globus-auth login --client-id ID"`,
		},
		"login required, at the end": {
			fmt.Errorf("tokens: token for \"a\": it was rejected: %w", tokens.ErrLoginRequired),
			`a new login is needed: run "globus-auth login --client-id ID"`,
		},
		"refresh token refused": {
			fmt.Errorf("tokens: token for \"a\": %w: refresh token: %w", tokens.ErrLoginRequired, &apierror.Error{Operation: "Token", StatusCode: 400, Code: "invalid_grant"}),
			`a new login is needed: invalid_grant (status 400): run "globus-auth login --client-id ID"`,
		},
		"session required": {
			&apierror.Error{StatusCode: 403, Code: "FORBIDDEN", Message: "more is needed", Authorization: &apierror.AuthorizationParameters{
				SessionRequiredMFA: new(true), SessionRequiredSingleDomain: []string{"example.edu", "example.org"}, SessionRequiredIdentities: []string{"$(reboot)"},
			}},
			`FORBIDDEN: more is needed (status 403): run "globus-auth session update --session-single-domain example.edu,example.org --session-mfa"`,
		},
		"consent required": {
			&apierror.Error{StatusCode: 403, Code: "ConsentRequired", Authorization: &apierror.AuthorizationParameters{RequiredScopes: []string{"openid", "a"}}},
			`ConsentRequired (status 403): run "globus-auth session consent 'openid a'"`,
		},
		"another person": {
			fmt.Errorf("app: log in: %w: those of b", app.ErrIdentityMismatch),
			`these are another identity's tokens: those of b: run "globus-auth logout" first, or choose another --profile`,
		},
		"key":       {&identitymap.KeyError{Key: "a", Err: identitymap.ErrNoIdentity}, `"a": no such identity`},
		"own":       {failf("no login is stored: run it"), "no login is stored: run it"},
		"own words": {&problem{words: "--scopes", err: wrapped("scopes: merge", errors.New("scopes: too many"))}, "--scopes: too many"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (&runner{}).text(row.err); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if got := (&runner{verbose: true}).text(row.err); got != row.err.Error() {
				t.Errorf("--verbose: got %s, want %s", got, row.err)
			}
		})
	}
}
