package gen_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/gen"
)

// Values that hold secrets print and log without them, nested ones too.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = "S3CR3T"
	for _, value := range []any{
		gen.TokenRequest{Code: secret, CodeVerifier: secret, RefreshToken: secret, Token: secret},
		gen.IntrospectRequest{Token: secret},
		gen.RevokeRequest{Token: secret},
		gen.TokenResponse{AccessToken: secret, RefreshToken: secret, IDToken: secret, OtherTokens: []gen.ResourceServerToken{{AccessToken: secret, RefreshToken: secret, IDToken: secret}}},
		gen.ClientCredential{Secret: secret},
		gen.ClientCredentialList{Credentials: []gen.ClientCredential{{Secret: secret}}},
		gen.CreateClientAnswer{Included: gen.ClientIncluded{ClientCredential: gen.ClientCredential{Secret: secret}}},
	} {
		t.Run(reflect.TypeOf(value).Name(), func(t *testing.T) {
			t.Parallel()
			pointer := reflect.New(reflect.TypeOf(value))
			pointer.Elem().Set(reflect.ValueOf(value))
			var out bytes.Buffer
			for _, v := range []any{value, pointer.Interface(), []any{value}} {
				fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
				slog.New(slog.NewTextHandler(&out, nil)).Info("value", "value", v)
			}
			if _, ok := value.(slog.LogValuer); ok {
				slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "value", value)
			}
			if _, ok := value.(encoding.TextMarshaler); ok { // a form on the wire: its JSON is nobody's but a log's
				if err := errors.Join(json.NewEncoder(&out).Encode(value), xml.NewEncoder(&out).Encode(value)); err != nil {
					t.Fatal(err)
				}
			} else if reflect.TypeOf(value).Name() == "TokenRequest" {
				t.Error("a form has no MarshalText")
			}
			if got := out.String(); strings.Contains(got, secret) || strings.Contains(got, fmt.Sprintf("%x", secret)) || !strings.Contains(got, "[redacted]") {
				t.Errorf("printed as %s", got)
			}
		})
	}
}
