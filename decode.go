package globusauth

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/lenient"
)

// decode reads a response as encoding/json does (it accepts duplicate names, invalid
// UTF-8 and names in another letter case) at about twice its speed, and unifies the
// forms that the service uses for one document. Values of an unexpected type read as
// null does; odd says where the first one is.
func decode(data []byte, out any) (odd string, err error) {
	var hooks []*json.Unmarshalers
	switch out := out.(type) {
	case *gen.TokenResponse:
		return decodeTokens(data, out)
	case *gen.ProjectResponse, *gen.ProjectList: // one documented response shows administrators as bare IDs
		hooks = append(hooks, fromText("", func(identity *gen.Identity, id string) { identity.ID = id }))
	case *gen.Introspection: // RFC 7662 section 2.2
		hooks = append(hooks, fromText("/aud", func(audience *[]string, one string) { *audience = []string{one} }))
	}
	if odd, err = unmarshal(data, out, hooks...); err != nil {
		return "", err
	}
	switch document := out.(type) {
	case *gen.ScopeResponse:
		// One scope or several: a client with host names gets one for each.
		if len(document.Scopes) == 0 && document.Scope.ID != "" {
			document.Scopes = []gen.Scope{document.Scope}
		}
		if len(document.Scopes) > 0 && document.Scope.ID == "" {
			document.Scope = document.Scopes[0]
		}
	case *gen.ClientList:
		// A search by host name returns one client.
		if len(document.Clients) == 0 && document.Client.ID != "" {
			document.Clients = []gen.ClientRecord{document.Client}
		}
	case *gen.CreateClientResponse:
		// Some recorded responses wrap the whole document in another "client".
		var nested struct {
			Client gen.CreateClientResponse `json:"client"`
		}
		if document.Client.ID == "" {
			if _, err := unmarshal(data, &nested); err == nil && nested.Client.Client.ID != "" {
				*document = nested.Client
			}
		}
	}
	return odd, nil
}

// decodeTokens reads a token response, or the bare list of the dependent grant. Text that a proxy adds must not lose
// the tokens.
func decodeTokens(data []byte, out *gen.TokenResponse) (odd string, err error) {
	document, rest, whole := firstDocument(data)
	if !whole {
		return unmarshal(data, out)
	}
	target := any(out)
	if document[0] == '[' {
		target = &out.OtherTokens
	}
	odd, err = unmarshal(document, target)
	if len(rest) > 0 {
		odd = cmp.Or(odd, "what follows the document")
	}
	return odd, err
}

// firstDocument returns the first JSON object or list of data, the text after it, and
// whether the document is complete.
func firstDocument(data []byte) (document, rest []byte, whole bool) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := dec.PeekKind(); kind != '{' && kind != '[' || dec.SkipValue() != nil {
		return nil, nil, false
	}
	end := dec.InputOffset()
	return data[:end], bytes.TrimSpace(data[end:]), true
}

// isEmpty reports whether a body is empty or JSON other than an object.
func isEmpty(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) == 0 || body[0] != '{' && jsontext.Value(body).IsValid()
}

// fromText reads a JSON string where the spec has another type; at limits it to a field of the document itself.
func fromText[T any](at jsontext.Pointer, set func(out *T, text string)) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, out *T) error {
		if dec.PeekKind() != '"' || at != "" && (dec.StackDepth() > 1 || dec.StackPointer() != at) {
			return errors.ErrUnsupported
		}
		token, err := dec.ReadToken()
		if err == nil {
			set(out, token.String())
		}
		return err
	})
}

const (
	// maxBody is the longest body of a response, in bytes, and maxMemory what its values may take: no response
	// allocates more than 64 MiB.
	maxBody   = 8 << 20
	maxMemory = maxBody / 4 * 3
	// unmetered is the length of a body that needs no budget.
	unmetered = 64 << 10
	// minValue is the least that a value counts for, in bytes: the garbage of reading
	// it, and its slot in a list or map.
	minValue = 40
	// maxNumber is how many digits are read for a number of no particular type.
	maxNumber = 1000
)

// budget stops the decoder when the values take more than maxMemory: without it, 15 MiB of
// "{}," become 2 GiB of structs.
func budget() *json.Unmarshalers {
	limit := int64(maxMemory)
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, pointer any) error {
		if limit -= max(minValue, int64(reflect.TypeOf(pointer).Elem().Size())); limit < 0 { //nolint:gosec // the size of a type
			return ErrResponseTooLarge
		}
		if number, ok := pointer.(*any); ok && dec.PeekKind() == '0' {
			raw, err := dec.ReadValue()
			if err == nil && len(raw) <= maxNumber { // reading a longer one copies it many times
				err = json.Unmarshal(raw, number)
			}
			return err
		}
		return errors.ErrUnsupported
	})
}

// unmarshal reads strictly, which is fast, and leniently where that fails.
func unmarshal(data []byte, out any, hooks ...*json.Unmarshalers) (odd string, err error) {
	long := len(data) > unmetered
	if long && !utf8.Valid(data) { // a run of invalid bytes becomes one U+FFFD, not one for each byte
		data = bytes.ToValidUTF8(data, []byte("\ufffd"))
	}
	options := json.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))
	read := func(hooks ...*json.Unmarshalers) error {
		if long {
			hooks = append([]*json.Unmarshalers{budget()}, hooks...)
		}
		return json.Unmarshal(data, out, options, json.WithUnmarshalers(json.JoinUnmarshalers(hooks...)))
	}
	err = read(hooks...)
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.JSONPointer != "" && !errors.Is(err, ErrResponseTooLarge) {
		odd, _, _ = strings.Cut(string(semantic.JSONPointer[1:]), "/") // only the first is always a name in the spec
		err = read(append(hooks, lenient.Values(func(*jsontext.Decoder) error { return nil }, options))...)
	}
	// The library's own texts can quote the document, which may contain tokens.
	switch syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); {
	case err == nil:
		return odd, nil
	case errors.Is(err, ErrResponseTooLarge):
		return "", fmt.Errorf("%w: its values take more than %d bytes", ErrResponseTooLarge, maxMemory)
	case ok:
		return "", fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return "", errors.New("the document has another type than the operation returns")
}
