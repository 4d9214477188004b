// Package redact makes text from outside safe to print: on one line, bounded in
// length, and without the secrets that a server sent back.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// Mark stands where a secret was.
	Mark = "[redacted]"
	// minSecret is the shortest text taken for a secret: replacing a shorter one
	// would only garble messages.
	minSecret = 6
)

// Secrets replaces secrets in text, in the forms in which they may come back: as
// they are, percent-encoded, JSON-escaped, in base64, and cleaned by [Line].
type Secrets struct {
	// forms are sorted longest first, so that no form leaves the rest of a longer
	// one behind.
	forms    []string
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
		s.forms = append(s.forms, url.QueryEscape(secret), url.PathEscape(secret),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)))
		if utf8.ValidString(secret) { // what is printed is valid, and must not be cut within a character
			s.forms = append(s.forms, secret)
		}
		for _, html := range []bool{true, false} {
			var quoted strings.Builder
			encoder := json.NewEncoder(&quoted)
			encoder.SetEscapeHTML(html)
			if encoder.Encode(secret) == nil {
				s.forms = append(s.forms, strings.Trim(quoted.String(), "\"\n"))
			}
		}
		// Nothing is left of a secret without printable text, and nothing is everywhere.
		if cleaned := Line(secret, len(secret)); len(cleaned) >= minSecret {
			s.forms = append(s.forms, cleaned)
		}
	}
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

// Text replaces every secret, also one of which the end of a text shortened by
// [Line] holds only the first part.
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

// In reports whether text holds a secret.
func (s Secrets) In(text string) bool { return s.replacer.Replace(text) != text }
