// Package redact makes text from a server safe to print: on one line, bounded in
// length, and without the secrets that the server echoes.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// Mark replaces a secret.
	Mark = "[redacted]"
	// minSecret is the length of the shortest secret: replacing shorter text would
	// garble messages.
	minSecret = 6
)

// Secrets replaces secrets in text, in the forms in which a server can echo them: as
// they are, percent-encoded, escaped for JSON or HTML, in base64 or hexadecimal, and
// cleaned by [Line].
type Secrets struct {
	forms    []string // longest first, so that a form leaves no rest of a longer one
	replacer *strings.Replacer
}

// New returns the replacement of the given secrets. Those shorter than 6 bytes
// are ignored.
func New(secrets ...string) Secrets {
	var s Secrets
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		s.forms = append(s.forms, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(Line(secret, len(secret))),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret))
		if utf8.ValidString(secret) { // printed text is valid and must not be cut within a character
			s.forms = append(s.forms, secret)
		}
		for _, escape := range []bool{true, false} {
			var quoted strings.Builder
			encoder := json.NewEncoder(&quoted)
			encoder.SetEscapeHTML(escape)
			if encoder.Encode(secret) == nil {
				s.forms = append(s.forms, strings.Trim(quoted.String(), "\"\n"))
			}
		}
		s.forms = append(s.forms, Line(secret, len(secret)))
	}
	// A secret without printable text has an empty form, which is everywhere.
	s.forms = slices.DeleteFunc(s.forms, func(form string) bool { return len(form) < minSecret })
	slices.SortFunc(s.forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	s.forms = slices.Compact(s.forms)
	pairs := make([]string, 0, 2*len(s.forms))
	for _, form := range s.forms {
		pairs = append(pairs, form, Mark)
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

// Text replaces every secret, and the first part of one at the end of a text
// shortened by [Line].
func (s Secrets) Text(text string) string {
	text = s.replacer.Replace(text)
	if !strings.Contains(text, ellipsis) {
		return text
	}
	parts := strings.Split(text, ellipsis)
	for i := range parts[:len(parts)-1] {
		parts[i] = s.cut(parts[i])
	}
	return strings.Join(parts, ellipsis)
}

// cut replaces the first part of a secret at the end of a shortened text.
func (s Secrets) cut(text string) string {
	for _, form := range s.forms {
		for n := min(len(form)-1, len(text)); n >= minSecret; n-- {
			if strings.HasSuffix(text, form[:n]) {
				return text[:len(text)-n] + Mark
			}
		}
	}
	return text
}

// In reports whether text contains a secret.
func (s Secrets) In(text string) bool { return s.replacer.Replace(text) != text }
