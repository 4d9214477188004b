package idtoken

import (
	"fmt"
	"io"
	"time"
)

// Expect is what the caller knows about the token that is to be verified. Nonce or
// NoNonce must be set: an empty Expect is an error, so that leaving out the nonce is
// always written down.
//
// It holds secrets and does not print them, whether through fmt, encoding/json or
// log/slog.
type Expect struct {
	// ClientID is the client that the token is for. Empty means [Config.ClientID].
	ClientID string
	// Nonce is the nonce that the login sent to the authorization endpoint; the
	// token must carry the same (OpenID Connect Core section 3.1.3.7, rule 11).
	Nonce string
	// NoNonce says that the login sent no nonce. A nonce in the token is then ignored.
	NoNonce bool
	// AccessToken is the access token that came with the ID token. When it is given, a
	// token's at_hash must fit it (section 3.1.3.6). at_hash is optional in the code flow:
	// a token without one is accepted. Empty: at_hash is not checked.
	AccessToken string
	// MaxAge is how long ago the user may have authenticated, leeway added: by the
	// claim auth_time or, where that is absent, Globus Auth's last_authentication. A
	// token with neither is refused. Zero means any age.
	MaxAge time.Duration
}

// check reports what is wrong with the expectation itself.
func (e Expect) check() error {
	switch {
	case e.ClientID == "":
		return refuse("expect", "the ClientID is empty; it is the audience that tokens are checked for")
	case e.Nonce == "" && !e.NoNonce:
		return refuse("expect", "no nonce to compare with; set Nonce to the one the login sent, or NoNonce to leave the check out")
	case e.Nonce != "" && e.NoNonce:
		return refuse("expect", "both Nonce and NoNonce are set; set one of them")
	case e.MaxAge < 0:
		return refuse("expect", "MaxAge is negative")
	}
	return nil
}

// summary is the expectation without its secrets.
func (e Expect) summary() string {
	return fmt.Sprintf("idtoken.Expect{ClientID: %q, Nonce: [redacted], NoNonce: %t, AccessToken: [redacted], MaxAge: %s}", e.ClientID, e.NoNonce, e.MaxAge)
}

// Format prints the expectation without its secrets, for every verb of fmt.
func (e Expect) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, e.summary())
}

// MarshalText writes the expectation without its secrets; encoding/json and
// log/slog use it. It cannot be read back.
func (e Expect) MarshalText() ([]byte, error) { return []byte(e.summary()), nil }

// MarshalBinary is MarshalText, for encoding/gob and the like.
func (e Expect) MarshalBinary() ([]byte, error) { return e.MarshalText() }
