// Package redact makes text from a server safe to print: on one line, bounded in
// length, and without the secrets that the server echoes.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// Mark replaces a secret.
	Mark = "[redacted]"
	// minSecret is the length of the shortest secret: replacing shorter text would
	// garble messages.
	minSecret = 6
)

// Secrets replaces secrets in text, in the forms in which a server can echo them: as
// they are, percent-encoded, quoted, escaped for JSON or HTML, in base64 or hexadecimal.
// The zero value replaces nothing.
type Secrets struct{ replacer *strings.Replacer }

// New returns the replacement of the given secrets. Those shorter than 6 bytes
// are ignored.
func New(secrets ...string) Secrets {
	var forms []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		escaped, _ := json.Marshal(secret) // a string is always encoded
		forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret),
			strings.Trim(strconv.Quote(secret), `"`), strings.Trim(string(escaped), `"`),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret))
	}
	// The longest first, so that a form leaves no rest of a longer one.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Mark)
	}
	return Secrets{strings.NewReplacer(pairs...)}
}

// Text replaces every secret. Text that is shortened first can keep a part of one.
func (s Secrets) Text(text string) string {
	if s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}

// In reports whether text contains a secret.
func (s Secrets) In(text string) bool { return s.Text(text) != text }
