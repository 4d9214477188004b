package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/tokens"
)

func TestRunnerText_OperationsOfTheLibrary(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`app: log in: flows: client credentials: globusauth: Token: UNAUTHORIZED: Basic auth failed (status 401)`:                       `UNAUTHORIZED: Basic auth failed (status 401)`,
		`app: log out: token for "auth.globus.org": flows: revoke token: globusauth: Revoke: FORBIDDEN: no`:                             `token for "auth.globus.org": FORBIDDEN: no`,
		"app: log out: token for \"a\": globusauth: Revoke: x\ntoken for \"b\": globusauth: Revoke: y":                                  "token for \"a\": x\ntoken for \"b\": y",
		`login: this is neither the code nor the address of the page that shows it: copy the whole address`:                             `this is neither the code nor the address of the page that shows it: copy the whole address`,
		`globusauth: Config.BaseURL: "ftp://x" has the scheme "ftp"`:                                                                    `GLOBUS_SDK_SERVICE_URL_AUTH: "ftp://x" has the scheme "ftp"`,
		`globusauth: GetUserinfo: cannot reach http://127.0.0.1:1/ (Config.BaseURL): dial tcp 127.0.0.1:1: connect: connection refused`: `cannot reach http://127.0.0.1:1/ (GLOBUS_SDK_SERVICE_URL_AUTH): dial tcp 127.0.0.1:1: connect: connection refused`,
		`open /tmp/app: log in: no`: `open /tmp/app: log in: no`,
	} {
		if got := (&runner{}).text(errors.New(text)); got != want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", text, got, want)
		}
		if got := (&runner{verbose: true}).text(errors.New(text)); got != text {
			t.Errorf("verbose: got %s, want %s", got, text)
		}
	}
}

func TestRunnerText_NewLoginNeeded(t *testing.T) {
	t.Parallel()
	err := explain(fmt.Errorf("globusauth: the token was refused (status 401): app: token for \"x\": %w: no token is stored", tokens.ErrLoginRequired))
	const want = `a new login is needed: no token is stored: run "globus-auth login --client-id ID"`
	if got := (&runner{}).text(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWrap_LongLines(t *testing.T) {
	t.Parallel()
	const text = `A paragraph whose lines
are joined and broken again.

Flags:
      --one string   words in the last column (default "x")
  -h, --help         help
`
	const want = `A paragraph whose lines are
joined and broken again.

Flags:
      --one string   words in
                     the last
                     column
                     (default
                     "x")
  -h, --help         help
`
	if diff := cmp.Diff(want, wrap(text, 30)); diff != "" {
		t.Error(diff)
	}
}
