package identitymap

import (
	"strings"
	"unicode"
	"unicode/utf8"

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
		return key{}, &invalidKeyError{reason}
	}
	return key{lower(text), username}, nil
}

// notUsername returns why text cannot be a username, or nothing.
func notUsername(text string) string {
	at := strings.LastIndexByte(text, '@')
	switch {
	case strings.Contains(text, ","):
		return "it contains a comma"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "it contains a control character"
	case at < 1 || at == len(text)-1:
		return "it is neither an identity ID with its dashes nor a username with its domain (user@domain)"
	case len(text) > maxUsernameLength:
		return "it is longer than any username"
	case !utf8.ValidString(text):
		return "it is not valid UTF-8"
	}
	return ""
}

// lower folds A to Z and nothing else; see the package comment.
func lower(text string) string {
	isUpper := func(r rune) bool { return 'A' <= r && r <= 'Z' }
	if !strings.ContainsFunc(text, isUpper) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isUpper(r) {
			r += 'a' - 'A'
		}
		return r
	}, text)
}

// maxKeysLength bounds the keys of one request in its URL. With the rest it stays
// under 8 kB, which RFC 9110 section 4.1 asks every recipient to support.
const maxKeysLength = 6000

// room is what a request has left for keys.
type room struct{ keys, length int }

// take reports whether k still fits, and if so makes use of the room.
func (r *room) take(k key) bool {
	length := len(k.text) + len("%2C")
	for i := range len(k.text) {
		switch c := k.text[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == '~', c == ' ':
		default:
			length += 2 // percent-encoded
		}
	}
	if r.keys == 0 || length > r.length {
		return false
	}
	r.keys--
	r.length -= length
	return true
}
