package contract_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

const secretMark = "S3CR3T-S3CR3T-S3CR3T"

// secretField matches the names of fields that hold a secret as text.
var secretField = regexp.MustCompile(`(?i)^(access|refresh|id|raw)?_?token$|secret$|password$|verifier$|^nonce$|^code$|^body$|^header$`)

// notSecret are the types that match secretField but hold no secret.
var notSecret = map[string]string{
	"gen/groups.Failure":         "its code is the name of an error",
	"resourceserver.DeniedError": "its code is the name of an error",
	"apierror.Detail":            "its code is the name of an error",
	"apierror.Requirement":       "its code is the name of an error",
	"gen.ErrorDetail":            "its code is the name of an error",
	"gen.ErrorDocument":          "its codes are names of errors",
	"gen.AuthorizeParams":        "a part of an address that the browser shows",
	"gen.AuthCodePageParams":     "a part of an address that the browser shows",
}

// TestExportedTypes_ShowNoSecret checks that no exported type prints, logs or encodes
// a secret that it contains, alone or within other values. A new type fails until it
// is entered here.
func TestExportedTypes_ShowNoSecret(t *testing.T) {
	t.Parallel()
	values := map[string]any{}
	for _, value := range secretHolders(t) {
		values[typeName(reflect.TypeOf(value))] = value
	}
	found := exportedSecrets(t)
	for _, name := range found {
		_, entered := values[name]
		_, excused := notSecret[name]
		switch {
		case entered && excused:
			t.Errorf("%s is in both lists", name)
		case !entered && !excused:
			t.Errorf("%s holds a secret: enter it in secretHolders, or in notSecret with a reason", name)
		}
	}
	for _, list := range [][]string{slices.Collect(maps.Keys(values)), slices.Collect(maps.Keys(notSecret))} {
		for _, name := range list {
			if !slices.Contains(found, name) && name != ".Client" {
				t.Errorf("%s holds no secret: remove it from the list", name)
			}
		}
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, form := range shown(value) {
				if marks.MatchString(form) {
					t.Fatalf("a secret shows in %.600s", form)
				}
			}
		})
	}
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.TrimPrefix(strings.TrimPrefix(t.PkgPath(), module), "/") + "." + t.Name()
}

// secretHolders returns a value of every exported type with a secret. All secrets are
// secretMark.
func secretHolders(t *testing.T) []any {
	t.Helper()
	must := func(value any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	token := tokens.Token{AccessToken: secretMark, RefreshToken: secretMark, IDToken: secretMark, ResourceServer: "rs", Expiry: time.Now().Add(time.Hour)}
	set, err := tokens.NewSet(token)
	if err != nil {
		t.Fatal(err)
	}
	key := tokens.Key{ClientID: "id"}
	memory := tokens.NewMemory()
	if _, err := memory.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	refreshing, err := tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: memory, Key: key, ResourceServer: "rs", Refresh: func(context.Context, tokens.Token) (tokens.Set, error) { return set, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refreshing.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := globusauth.Config{Credentials: globusauth.Basic("id", secretMark)}
	client, err := globusauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	portal := flows.Config{Auth: client, ClientID: "id", ClientSecret: secretMark, RedirectURI: "https://portal.example.org/callback", Scopes: scopes.List{scopes.AuthOpenID}}
	service := app.Config{ClientID: "id", ClientSecret: secretMark, Client: client, Scopes: scopes.List{scopes.AuthOpenID}, Store: memory}
	started, err := portal.Start()
	if err != nil {
		t.Fatal(err)
	}
	web := login.WebConfig{Flow: portal}
	protection := resourceserver.Config{OAuth: portal}
	return []any{
		protection, must(resourceserver.New(protection)),
		resourceserver.CallerInfo{},
		config, client,
		apierror.FromResponse("do it", 400, http.Header{"X": {secretMark}}, []byte(secretMark)),
		filled[gen.ClientCredential](), filled[gen.ClientCredentialResponse](), filled[gen.ClientCredentialList](), filled[gen.ClientIncluded](),
		filled[gen.CreateClientResponse](), filled[gen.WrappedClient](), filled[gen.IntrospectRequest](), filled[gen.RevokeRequest](),
		filled[gen.TokenRequest](), filled[gen.TokenResponse](), filled[gen.ResourceServerToken](),
		filled[idtoken.Expect](), token, set, memory, refreshing,
		portal, started, web, must(login.NewWeb(web)),
		login.Account{Tokens: set},
		login.Session{Account: login.Account{Tokens: set}},
		login.Result{Account: login.Account{Tokens: set}},
		service, must(app.NewService(service)),
	}
}

// filled returns a T with one element in each list and secretMark in each field that
// holds a secret.
func filled[T any]() T {
	var value T
	fill(reflect.ValueOf(&value).Elem(), false)
	return value
}

func fill(value reflect.Value, secret bool) {
	switch value.Kind() {
	case reflect.String:
		if secret {
			value.SetString(secretMark)
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0), secret)
	case reflect.Struct:
		for field, v := range value.Fields() {
			if field.IsExported() {
				fill(v, secretField.MatchString(field.Name))
			}
		}
	default:
	}
}

// marks matches secretMark as text, in hexadecimal, as numbers and in base64.
var marks = func() *regexp.Regexp {
	numbers := strings.Trim(fmt.Sprintf("%v", []byte(secretMark[:6])), "[]")
	listed := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(secretMark[:6])), "[]byte{"), "}")
	alternatives := []string{secretMark[:6], fmt.Sprintf("%x", secretMark[:6]), fmt.Sprintf("%X", secretMark[:6]), numbers, listed}
	for _, before := range []string{"", "a", "aa"} {
		alternatives = append(alternatives, base64.StdEncoding.EncodeToString([]byte(before + secretMark))[4:16])
	}
	for i, alternative := range alternatives {
		alternatives[i] = regexp.QuoteMeta(alternative)
	}
	return regexp.MustCompile(strings.Join(alternatives, "|"))
}()

// shown returns every printed, logged and encoded form of a value, alone and within
// other values. An encoder may refuse.
func shown(value any) []string {
	typed := reflect.ValueOf(value)
	list := reflect.MakeSlice(reflect.SliceOf(typed.Type()), 1, 1)
	list.Index(0).Set(typed)
	table := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), typed.Type()))
	table.SetMapIndex(reflect.ValueOf("name"), typed)
	holder := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Field", Type: typed.Type()}}))
	holder.Elem().Field(0).Set(typed)
	values := []any{value, list.Interface(), table.Interface(), holder.Interface(), holder.Elem().Interface(), []any{value}}
	if typed.Kind() != reflect.Pointer {
		pointer := reflect.New(typed.Type())
		pointer.Elem().Set(typed)
		values = append(values, pointer.Interface())
	}
	var forms []string
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			forms = append(forms, fmt.Sprintf(verb, v))
		}
		var logged, encoded bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("value", "value", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("value", "value", v)
		_ = json.NewEncoder(&encoded).Encode(v)
		_ = jsonv2.MarshalWrite(&encoded, v)
		_ = xml.NewEncoder(&encoded).Encode(v)
		_ = gob.NewEncoder(&encoded).Encode(v)
		forms = append(forms, logged.String(), encoded.String())
	}
	return forms
}

// exportedSecrets lists the exported types that contain a secret, of the packages
// that programs use. Those of the test double are not included: tests print them.
func exportedSecrets(t *testing.T) []string {
	t.Helper()
	exports := map[string]string{}
	for _, line := range goList(t, "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...") {
		path, file, _ := strings.Cut(line, " ")
		exports[path] = file
	}
	lookup := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var found []string
	for _, path := range slices.Sorted(maps.Keys(exports)) {
		rest, ours := strings.CutPrefix(path, module)
		if !ours || exports[path] == "" || strings.Contains(rest, "/internal") || strings.HasPrefix(rest, "/authtest") || strings.HasPrefix(rest, "/cmd") || strings.HasPrefix(rest, "/examples") {
			continue
		}
		pkg, err := lookup.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			object, ok := pkg.Scope().Lookup(name).(*types.TypeName)
			if ok && object.Exported() && !object.IsAlias() && holdsSecret(object.Type(), map[types.Type]bool{}) {
				found = append(found, strings.TrimPrefix(strings.TrimPrefix(path, module), "/")+"."+name)
			}
		}
	}
	return found
}

func holdsSecret(t types.Type, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return holdsSecret(u.Elem(), seen)
	case *types.Slice:
		return holdsSecret(u.Elem(), seen)
	case *types.Array:
		return holdsSecret(u.Elem(), seen)
	case *types.Map:
		return holdsSecret(u.Elem(), seen)
	case *types.Signature: // a function that returns a secret holds it
		for result := range u.Results().Variables() {
			if u.Params().Len() == 0 && holdsSecret(result.Type(), seen) {
				return true
			}
		}
	case *types.Struct:
		for field := range u.Fields() {
			if secretField.MatchString(field.Name()) && isText(field.Type()) || holdsSecret(field.Type(), seen) {
				return true
			}
		}
	}
	return false
}

func isText(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Kind() == types.String
	case *types.Slice:
		return isText(t.Elem()) || types.Identical(t.Elem().Underlying(), types.Typ[types.Byte])
	case *types.Map:
		return isText(t.Elem())
	case *types.Pointer:
		return isText(t.Elem())
	}
	return false
}
