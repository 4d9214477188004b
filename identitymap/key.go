package identitymap

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/uuid"
)

// kind tells the two kinds of keys apart. They never share a request.
type kind uint8

const (
	username kind = iota
	identityID
	kinds = 2
)

// key is a key in its canonical form.
type key struct {
	text string
	kind kind
}

const maxUsernameLength = 1024

// parseKey returns the canonical form of a key. It does not allocate when text
// is canonical already.
func parseKey(text string) (key, error) {
	if uuid.Valid(text) {
		return key{lower(text), identityID}, nil
	}
	if reason := notUsername(text); reason != "" {
		return key{}, fmt.Errorf("%w: %s", ErrNoIdentity, reason)
	}
	return key{lower(text), username}, nil
}

// keysOf returns the keys under which a record is found: its ID and its username, as far as they
// are valid. A username in the form of an ID would stand for another identity.
func keysOf(who *gen.Identity) []key {
	keys := make([]key, 0, kinds)
	if k, err := parseKey(who.ID); err == nil && k.kind == identityID {
		keys = append(keys, k)
	}
	if k, err := parseKey(who.Username); err == nil && k.kind == username {
		keys = append(keys, k)
	}
	return keys
}

// notUsername returns why text cannot be a username, or nothing.
func notUsername(text string) string {
	at := strings.LastIndexByte(text, '@')
	switch {
	case strings.Contains(text, ","):
		return "it contains a comma"
	case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
		return "it contains a control character or is not valid UTF-8"
	case at < 1 || at == len(text)-1:
		return "it is neither an identity ID with its dashes nor a username with its domain (user@domain)"
	case len(text) > maxUsernameLength:
		return "it is longer than any username"
	}
	return ""
}

// lower folds A to Z and nothing else; see the package comment.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
}
