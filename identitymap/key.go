package identitymap

import (
	"net/url"
	"unicode/utf8"
)

// kind tells the two things that a key can be. They never share a request.
type kind uint8

const (
	username kind = iota
	identityID
	kinds = 2
)

// key is a key in the one form under which the map knows it.
type key struct {
	text string
	kind kind
}

const (
	idLength          = 36
	maxUsernameLength = 1024
)

// parseKey returns the canonical form of a key. It does not allocate when text
// is canonical already.
func parseKey(text string) (key, error) {
	if isID(text) {
		return key{lower(text), identityID}, nil
	}
	if reason := notUsername(text); reason != "" {
		return key{}, &keyError{key: text, err: &reasonError{reason}}
	}
	return key{lower(text), username}, nil
}

// isID says whether text has the form of RFC 9562.
func isID(text string) bool {
	if len(text) != idLength {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c-'0' <= 9, c|0x20 >= 'a' && c|0x20 <= 'f':
		default:
			return false
		}
	}
	return true
}

// notUsername returns why text is no username, or nothing.
func notUsername(text string) string {
	at, ascii := -1, true
	for i := range len(text) {
		switch c := text[i]; {
		case c == '@':
			at = i
		case c == ',':
			return "it holds a comma"
		case c < ' ' || c == 0x7f:
			return "it holds a control character"
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	switch {
	case at < 1 || at == len(text)-1:
		return "it is neither an identity ID with its dashes nor a username with its domain (user@domain)"
	case len(text) > maxUsernameLength:
		return "it is longer than any username"
	case !ascii && !utf8.ValidString(text):
		return "it is not valid UTF-8"
	}
	return ""
}

// lower folds A to Z and nothing else; see the package comment.
func lower(text string) string {
	for i := range len(text) {
		if c := text[i]; 'A' <= c && c <= 'Z' {
			folded := []byte(text)
			for j := i; j < len(folded); j++ {
				if 'A' <= folded[j] && folded[j] <= 'Z' {
					folded[j] += 'a' - 'A'
				}
			}
			return string(folded)
		}
	}
	return text
}

// maxKeysLength bounds the keys of one request as they stand in its URL. With
// the rest it stays under 8 kB, the least that RFC 9110 section 4.1 asks
// everybody on the way to take. The official Python SDK reaches 4 kB.
const maxKeysLength = 6000

// room is what a request has left for keys.
type room struct{ keys, length int }

func newRoom(keys int) room { return room{keys, maxKeysLength} }

// take says whether k still fits, and if so makes use of the room.
func (r *room) take(k key) bool {
	length := len(k.text)
	if k.kind == username {
		length = escapedLength(k.text)
	}
	length += len("%2C")
	if r.keys == 0 || length > r.length {
		return false
	}
	r.keys--
	r.length -= length
	return true
}

// escapedLength is the length of url.QueryEscape(text), which is not called
// for the usual characters.
func escapedLength(text string) int {
	length := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		case c == '@', c == '+':
			length += 2
		default:
			return len(url.QueryEscape(text))
		}
	}
	return length
}
