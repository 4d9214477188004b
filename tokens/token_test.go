package tokens_test

import (
	"bytes"
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
// that a field added later and forgotten in a conversion is found.
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
		case int64:
			field.SetInt(120)
		default:
			t.Fatalf("no sample value for %s of type %s", v.Type().Field(i).Name, field.Type())
		}
	}
}

func TestOAuth2RoundTripKeepsEveryField(t *testing.T) {
	t.Parallel()
	var token tokens.Token
	fill(t, &token)
	set, err := tokens.FromOAuth2(token.OAuth2())
	if err != nil {
		t.Fatal(err)
	}
	if got := set.All(); len(got) != 1 || got[0] != token {
		t.Errorf("came back as %#v %v", got, diffFields(got[0], token))
	}
}

func TestOAuth2RoundTripFromTheOtherSide(t *testing.T) {
	t.Parallel()
	var plain oauth2.Token
	fill(t, &plain)
	extra := map[string]any{"resource_server": "rs", "scope": "a b", "id_token": "i.d.t", "identity_id": "me"}
	set, err := tokens.FromOAuth2(plain.WithExtra(extra))
	if err != nil {
		t.Fatal(err)
	}
	token, found := set.ByResourceServer("rs")
	if !found {
		t.Fatal("no token for rs")
	}
	back := token.OAuth2()
	for key, want := range extra {
		if got := back.Extra(key); got != want {
			t.Errorf("Extra(%q) = %v, want %v", key, got, want)
		}
	}
	if diff := diffFields(*back, *plain.WithExtra(nil)); len(diff) > 0 {
		t.Errorf("fields differ: %v", diff)
	}
}

// diffFields names the exported fields in which two structs differ.
func diffFields(a, b any) []string {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	var names []string
	for i := range va.NumField() {
		if field := va.Type().Field(i); field.IsExported() && va.Field(i).Interface() != vb.Field(i).Interface() {
			names = append(names, field.Name)
		}
	}
	return names
}

func TestFromOAuth2ReadsOtherTokens(t *testing.T) {
	t.Parallel()
	// What x/oauth2 leaves in a token after exchanging a code at Globus Auth.
	var extra map[string]any
	err := json.Unmarshal([]byte(`{"resource_server":"auth.globus.org","scope":"openid","id_token":"i.d.t","identity_id":"me","expires_in":172800,
		"other_tokens":[{"access_token":"A2","refresh_token":"R2","resource_server":"transfer.api.globus.org","scope":"x","token_type":"Bearer","expires_in":600},
		{"access_token":"A3","resource_server":"groups.api.globus.org","scope":"y"}]}`), &extra)
	if err != nil {
		t.Fatal(err)
	}
	plain := (&oauth2.Token{AccessToken: "A1", Expiry: someTime(), ExpiresIn: 172800}).WithExtra(extra)
	set, err := tokens.FromOAuth2(plain)
	if err != nil {
		t.Fatal(err)
	}
	want := mustSet(
		t,
		tokens.Token{AccessToken: "A1", ResourceServer: "auth.globus.org", Scope: "openid", IDToken: "i.d.t", IdentityID: "me", Expiry: someTime(), Lifetime: 48 * time.Hour},
		tokens.Token{
			AccessToken: "A2", RefreshToken: "R2", TokenType: "Bearer", ResourceServer: transfer, Scope: "x",
			Expiry: someTime().Add(10*time.Minute - 48*time.Hour), Lifetime: 10 * time.Minute, IdentityID: "me",
		},
		tokens.Token{AccessToken: "A3", ResourceServer: "groups.api.globus.org", Scope: "y", IdentityID: "me"},
	)
	if !set.Equal(want) {
		t.Errorf("got %v\nwant %v", set, want)
	}
}

func TestFromOAuth2_KeepsWhatIsUsable(t *testing.T) {
	t.Parallel()
	first := tokens.Token{AccessToken: secretAccess, ResourceServer: "rs"}
	second := tokens.Token{AccessToken: "second", ResourceServer: "second"}
	other := map[string]any{"access_token": "second", "resource_server": "second"}
	for name, row := range map[string]struct {
		extra map[string]any
		want  []tokens.Token
		about string // the only problem
	}{
		"no resource server":      {map[string]any{"other_tokens": []any{other}}, []tokens.Token{second}, "names no resource server"},
		"one is not an object":    {map[string]any{"resource_server": "rs", "other_tokens": []any{1, other}}, []tokens.Token{first, second}, "other_tokens[0] is not an object"},
		"they are not a list":     {map[string]any{"resource_server": "rs", "other_tokens": other}, []tokens.Token{first}, "other_tokens is not a list"},
		"one has no access token": {map[string]any{"resource_server": "rs", "other_tokens": []any{map[string]any{"resource_server": "x"}}}, []tokens.Token{first}, "no access token"},
		"same server twice": {
			map[string]any{"resource_server": "rs", "other_tokens": []any{map[string]any{"access_token": "b", "resource_server": "rs"}, other}},
			[]tokens.Token{first, second},
			`two tokens for "rs"`,
		},
		"fields of odd types": {map[string]any{"resource_server": "rs", "scope": 1, "id_token": []any{}, "other_tokens": nil}, []tokens.Token{first}, ""},
		"all is well":         {map[string]any{"resource_server": "rs", "other_tokens": []any{other}}, []tokens.Token{first, second}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := tokens.FromOAuth2((&oauth2.Token{AccessToken: secretAccess}).WithExtra(row.extra))
			if err != nil || !set.Equal(mustSet(t, row.want...)) {
				t.Fatalf("got %v, %v; want %v", set, err, row.want)
			}
			problems := fmt.Sprint(set.Problems())
			if len(set.Problems()) > 1 || (len(set.Problems()) == 0) != (row.about == "") || !strings.Contains(problems, row.about) {
				t.Errorf("problems %v, want %q", problems, row.about)
			}
			check(t, "problems", problems)
		})
	}
}

func TestFromOAuth2_NothingUsable(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		plain *oauth2.Token
		want  string
	}{
		"nil":                {nil, "the token is nil"},
		"no resource server": {&oauth2.Token{AccessToken: secretAccess}, "names no resource server"},
		"no access token":    {(&oauth2.Token{}).WithExtra(map[string]any{"resource_server": "rs"}), "no access token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.FromOAuth2(row.plain)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			check(t, "error", err.Error())
		})
	}
}

func TestFromOAuth2_Lifetime(t *testing.T) {
	t.Parallel()
	const hours = 48 * time.Hour
	for text, want := range map[string]time.Duration{
		`172800`: hours, `172800.0`: hours, `1.728e5`: hours, `"172800"`: hours, `100.5`: 0, `"1.728e5"`: 0, `"two days"`: 0, `-1`: 0, `1e30`: 0,
		`"99999999999999999999"`: 0, `null`: 0, `true`: 0, `[172800]`: 0,
	} {
		for _, numbers := range []bool{false, true} {
			decoder := json.NewDecoder(strings.NewReader(`{"resource_server": "rs", "other_tokens":
				[{"resource_server": "other", "access_token": "B", "expires_in": ` + text + `}]}`))
			if numbers {
				decoder.UseNumber()
			}
			var extra map[string]any
			if err := decoder.Decode(&extra); err != nil {
				t.Fatal(err)
			}
			set, err := tokens.FromOAuth2((&oauth2.Token{AccessToken: "A"}).WithExtra(extra))
			if token, _ := set.ByResourceServer("other"); err != nil || token.Lifetime != want {
				t.Errorf("expires_in %s: lifetime %v, %v; want %v", text, token.Lifetime, err, want)
			}
		}
	}
}

func TestScopesIsAListOfItsOwn(t *testing.T) {
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

func TestNoOutputHoldsASecret(t *testing.T) {
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

func TestPlainJSONCannotBeReadBack(t *testing.T) {
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
			if err := json.Unmarshal(encoded, target); err == nil || !strings.Contains(err.Error(), "UnmarshalStorage") {
				t.Errorf("%s into %T: error %v, want one that names UnmarshalStorage", name, target, err)
			}
		}
	}
}
