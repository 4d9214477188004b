package globusauth

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/globusauth/globusauth/gen"
)

// decode reads a response with the meaning that encoding/json gives it
// (duplicate names, odd UTF-8 and names in another letter case are accepted)
// at about twice its speed, and evens out what the service writes in more than
// one way. Fields of an unexpected type read as absent; odd says which. A document
// whose values take more than limit bytes of memory is [ErrResponseTooLarge].
func decode(data []byte, out any, limit int64) (odd []string, err error) {
	if tokens, ok := out.(*gen.TokenResponse); ok {
		// What was issued is not lost for what a proxy adds.
		if document, rest, whole := firstDocument(data); whole {
			data = document
			if len(rest) > 0 {
				defer func() { odd = append(odd, "what follows the document") }()
			}
		}
		if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
			// The dependent grant returns a bare list.
			return unmarshal(data, &tokens.OtherTokens, limit)
		}
	}
	var hooks []*json.Unmarshalers
	switch out.(type) {
	case *gen.ProjectResponse, *gen.ProjectList:
		hooks = append(hooks, json.UnmarshalFromFunc(identityOrID))
	}
	odd, err = unmarshal(data, out, limit, hooks...)
	if err != nil {
		return nil, err
	}
	switch answer := out.(type) {
	case *gen.ScopeResponse:
		// One scope or several: a client with host names gets one for each.
		switch {
		case len(answer.Scopes) == 0 && answer.Scope.ID != "":
			answer.Scopes = []gen.Scope{answer.Scope}
		case len(answer.Scopes) > 0 && answer.Scope.ID == "":
			answer.Scope = answer.Scopes[0]
		}
	case *gen.ClientList:
		// A search by host name returns one client.
		if len(answer.Clients) == 0 && answer.Client.ID != "" {
			answer.Clients = []gen.ClientRecord{answer.Client}
		}
	case *gen.CreateClientResponse:
		// Some recorded responses hold the whole document once more under "client".
		if answer.Client.ID == "" {
			var nested struct {
				Client gen.CreateClientResponse `json:"client"`
			}
			if _, err := unmarshal(data, &nested, limit); err == nil && nested.Client.Client.ID != "" {
				*answer = nested.Client
			}
		}
	}
	return odd, nil
}

// firstDocument returns the first JSON object or list of data, after a byte order
// mark, what follows it other than white space, and whether there is a whole one.
func firstDocument(data []byte) (document, rest []byte, whole bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := dec.PeekKind(); kind != '{' && kind != '[' || dec.SkipValue() != nil {
		return nil, nil, false
	}
	end := dec.InputOffset()
	return data[:end], bytes.TrimSpace(data[end:]), true
}

// isEmpty reports a body that holds no document: nothing, or JSON that is not an
// object.
func isEmpty(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) == 0 || body[0] != '{' && jsontext.Value(body).IsValid()
}

// identityOrID reads the administrator of a project, which one document of the
// service shows as a bare ID.
func identityOrID(dec *jsontext.Decoder, identity *gen.Identity) error {
	if dec.PeekKind() != '"' {
		return errors.ErrUnsupported
	}
	token, err := dec.ReadToken()
	if err == nil {
		identity.ID = token.String()
	}
	return err
}

const (
	// unmetered is the length of a body that cannot become much.
	unmetered = 64 << 10
	// minValue is the least that a value counts for, in bytes: what reading it leaves
	// behind, and its place in a list or map.
	minValue = 40
	// maxNumber is how many digits are read as a number where it may be anything.
	maxNumber = 1000
)

// budget ends the reading of a document whose values take more than limit bytes of
// memory: without it, 15 MiB of "{}," become 2 GiB of structs.
func budget(limit int64) *json.Unmarshalers {
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

// growth is what the bytes of a body that are not UTF-8 count for: each becomes the
// three of U+FFFD.
func growth(data []byte) (size int64) {
	for len(data) > 0 {
		r, length := utf8.DecodeRune(data)
		if r == utf8.RuneError && length == 1 {
			size += 4
		}
		data = data[length:]
	}
	return size
}

// unmarshal reads strictly, which is fast, and leniently where that fails.
func unmarshal(data []byte, out any, limit int64, hooks ...*json.Unmarshalers) (odd []string, err error) {
	left := limit
	if len(data) > unmetered && !utf8.Valid(data) {
		if left -= growth(data); left < 0 {
			return nil, fmt.Errorf("%w: decoded it takes more than %d bytes", ErrResponseTooLarge, limit)
		}
	}
	read := func(hooks []*json.Unmarshalers) error {
		if len(data) > unmetered {
			hooks = append([]*json.Unmarshalers{budget(left)}, hooks...)
		}
		options := []json.Options{jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false)}
		if len(hooks) > 0 {
			options = append(options, json.WithUnmarshalers(json.JoinUnmarshalers(hooks...)))
		}
		return json.Unmarshal(data, out, options...)
	}
	err = read(hooks)
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.JSONPointer != "" && !errors.Is(err, ErrResponseTooLarge) {
		l := lenient{document: reflect.TypeOf(out).Elem()}
		reflect.ValueOf(out).Elem().SetZero()
		err = read(append(hooks, json.UnmarshalFromFunc(oneAudience), json.UnmarshalFromFunc(l.read)))
		odd = l.odd
	}
	switch {
	case err == nil:
		return odd, nil
	case errors.Is(err, ErrResponseTooLarge):
		return nil, fmt.Errorf("%w: decoded it takes more than %d bytes", ErrResponseTooLarge, limit)
	}
	// The library's own texts can quote the document, which may hold tokens.
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return nil, fmt.Errorf("the document is %s", kindName(semantic.JSONKind))
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return nil, fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return nil, errors.New("not valid JSON")
}

func kindName(kind jsontext.Kind) string {
	names := map[jsontext.Kind]string{
		'n': "null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number",
		'{': "an object", '}': "an object", '[': "a list", ']': "a list",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return "something else"
}
