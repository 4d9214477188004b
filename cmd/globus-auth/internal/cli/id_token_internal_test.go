package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzDecodeJWT(f *testing.F) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	f.Add(part(`{"alg":"RS512"}`)+"."+part(`{"sub":"a","exp":1}`)+".c2lnbmF0dXJl", "c2lnbmF0dXJl")
	f.Add(part(`{}`)+"."+part(`{"exp":1e99,"a":"\u001b[2J"}`)+".", "")
	f.Add(part(`null`)+"."+part(`[]`)+".x", "x")
	f.Add("..", "")
	f.Fuzz(func(t *testing.T, raw, signature string) {
		token, err := decodeJWT(raw)
		if err != nil {
			if len(raw) > 20 && strings.Contains(err.Error(), raw) {
				t.Errorf("the error shows the token: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := printJSON(&out, token, ""); err != nil || !json.Valid(out.Bytes()) {
			t.Fatalf("%v: %q", err, out.String())
		}
		if err := (layout{}).print(&out, token.rows()); err != nil {
			t.Fatal(err)
		}
		if parts := strings.Split(raw, "."); len(signature) > 20 && parts[2] == signature &&
			!strings.Contains(string(token.Header)+string(token.Claims), signature) && strings.Contains(out.String(), signature) {
			t.Error("the output has the signature")
		}
	})
}

func TestDecodeJWT_PartsAreObjects(t *testing.T) {
	t.Parallel()
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, other := range []string{"null", "[]", "1", "", "{", `"a"`} {
		for _, raw := range []string{part("{}") + "." + part(other) + ".x", part(other) + "." + part("{}") + ".x"} {
			if token, err := decodeJWT(raw); err == nil {
				t.Errorf("%q in %q is accepted: %+v", other, raw, token)
			}
		}
	}
}
