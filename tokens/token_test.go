package tokens_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// fill sets every exported field of a struct to a value that is not zero, so
// that a field that a conversion forgets is found.
func fill(t *testing.T, target any) {
	t.Helper()
	v := reflect.ValueOf(target).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanSet() {
			continue
		}
		switch field.Interface().(type) {
		case string:
			field.SetString("value-" + v.Type().Field(i).Name)
		case time.Time:
			field.Set(reflect.ValueOf(someTime()))
		case time.Duration:
			field.Set(reflect.ValueOf(90 * time.Second))
		default:
			t.Fatalf("no sample value for %s of type %s", v.Type().Field(i).Name, field.Type())
		}
	}
}

// A library that has the refresh token might use it, and the store's would be used already.
func TestOAuth2_HasNoRefreshToken(t *testing.T) {
	t.Parallel()
	token := fullToken()
	got, err := tokens.OAuth2(t.Context(), tokens.SourceFunc(func(context.Context) (tokens.Token, error) { return token, nil })).Token()
	if err != nil {
		t.Fatal(err)
	}
	if want := (&oauth2.Token{AccessToken: secretAccess, TokenType: "Bearer", Expiry: someTime()}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTokenScopes_IsACopy(t *testing.T) {
	t.Parallel()
	token := tokens.Token{Scope: " openid  email\tprofile"}
	first := token.Scopes()
	if want := (scopes.List{"openid", "email", "profile"}); !slices.Equal(first, want) {
		t.Fatalf("Scopes() = %q, want %q", first, want)
	}
	first[0] = "changed"
	if got := token.Scopes()[0]; got != "openid" {
		t.Errorf("a change reached the token: %q", got)
	}
}

// owner is a user's type that holds tokens in the ways users do.
type owner struct {
	Token  tokens.Token
	Ptr    *tokens.Token
	Set    tokens.Set
	Map    map[string]tokens.Token
	List   []tokens.Token
	hidden tokens.Set
}

func TestTokenFormat_HasNoSecret(t *testing.T) {
	t.Parallel()
	token := fullToken()
	set := mustSet(t, token)
	values := map[string]any{
		"token":   token,
		"pointer": &token,
		"set":     set,
		"set ptr": &set,
		"owner": owner{
			Token: token, Ptr: &token, Set: set, hidden: set,
			Map: map[string]tokens.Token{"a": token}, List: []tokens.Token{token},
		},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			check(t, name+" "+verb, fmt.Sprintf(verb, value))
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		check(t, name+" json", string(encoded))
		if name != "owner" { // it has a map, which is not for XML
			encoded, err = xml.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			check(t, name+" xml", string(encoded))
		}
		encoded, err = encodeGob(value)
		if err == nil || !strings.Contains(err.Error(), "MarshalStorage") {
			t.Errorf("%s gob: error %v, want one that names MarshalStorage", name, err)
		}
		check(t, name+" gob", string(encoded))
		for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("a message", "value", value)
			check(t, name+" slog "+kind, out.String())
		}
	}
	if text := fmt.Sprint(token); !strings.Contains(text, transfer) || !strings.Contains(text, "2026-11-23T12:00:00Z") {
		t.Errorf("the printed form says too little: %s", text)
	}
}

func encodeGob(value any) ([]byte, error) {
	var out bytes.Buffer
	err := gob.NewEncoder(&out).Encode(value)
	return out.Bytes(), err
}

func check(t *testing.T, what, output string) {
	t.Helper()
	for _, secret := range []string{secretAccess, secretRefresh, secretID} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if strings.Contains(output, form) {
				t.Errorf("%s holds a secret: %s", what, output)
				return
			}
		}
	}
}

func TestTokenMarshalText_CannotBeReadBack(t *testing.T) {
	t.Parallel()
	token := fullToken()
	for name, value := range map[string]any{"token": token, "set": mustSet(t, token)} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var back tokens.Token
		var backSet tokens.Set
		for _, target := range []any{&back, &backSet} {
			if err := json.Unmarshal(encoded, target); err == nil {
				t.Errorf("%s was read into %T without its secrets", name, target)
			}
		}
	}
}
