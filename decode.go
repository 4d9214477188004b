package globusauth

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/globusauth/globusauth/gen"
)

// decode reads an answer with the meaning that encoding/json gives it
// (duplicate names, odd UTF-8 and names in another letter case are accepted)
// at about twice its speed, and evens out what the service writes in more than
// one way.
func decode(data []byte, out any) error {
	if tokens, ok := out.(*gen.TokenResponse); ok && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		// The dependent grant answers a bare list.
		return unmarshal(data, &tokens.OtherTokens)
	}
	var lenient []json.Options
	switch out.(type) {
	case *gen.ProjectAnswer, *gen.ProjectList:
		lenient = append(lenient, json.WithUnmarshalers(json.UnmarshalFromFunc(identityOrID)))
	}
	if err := unmarshal(data, out, lenient...); err != nil {
		return err
	}
	switch answer := out.(type) {
	case *gen.ScopeAnswer:
		// One scope or several: a client with host names gets one for each.
		switch {
		case len(answer.Scopes) == 0 && answer.Scope.ID != "":
			answer.Scopes = []gen.Scope{answer.Scope}
		case len(answer.Scopes) > 0 && answer.Scope.ID == "":
			answer.Scope = answer.Scopes[0]
		}
	case *gen.ClientList:
		// A search by host name answers one client.
		if len(answer.Clients) == 0 && answer.Client.ID != "" {
			answer.Clients = []gen.ClientRecord{answer.Client}
		}
	case *gen.CreateClientAnswer:
		// Some recorded answers hold the whole document once more under "client".
		if answer.Client.ID == "" {
			var nested struct {
				Client gen.CreateClientAnswer `json:"client"`
			}
			if err := unmarshal(data, &nested); err == nil && nested.Client.Client.ID != "" {
				*answer = nested.Client
			}
		}
	}
	return nil
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

func unmarshal(data []byte, out any, options ...json.Options) error {
	options = append(options, jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))
	err := json.Unmarshal(data, out, options...)
	if err == nil {
		return nil
	}
	// The library's own texts can quote the document, which may hold tokens.
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("member %q is %s where %v was expected", semantic.JSONPointer, kindName(semantic.JSONKind), semantic.GoType)
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return errors.New("not valid JSON")
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
