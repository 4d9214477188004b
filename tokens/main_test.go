package tokens_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// marked secrets: no output but the storage form may hold them.
const (
	secretAccess  = "SECRET-ACCESS"
	secretRefresh = "SECRET-REFRESH"
	secretID      = "SECRET-ID-TOKEN"
)

const transfer = "transfer.api.globus.org"

// someTime is a whole second, as sets keep them.
func someTime() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func fullToken() tokens.Token {
	return tokens.Token{
		AccessToken:    secretAccess,
		RefreshToken:   secretRefresh,
		TokenType:      "Bearer",
		ResourceServer: transfer,
		Scope:          "urn:globus:auth:scope:transfer.api.globus.org:all urn:x",
		Expiry:         someTime(),
		Requested:      "urn:x",
		Lifetime:       48 * time.Hour,
		IdentityID:     "c8aad43e-d274-11e5-bf98-8b02896cf782",
		IDToken:        secretID,
	}
}

func mustSet(tb testing.TB, list ...tokens.Token) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(list...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}
