package idtoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/idtoken"
)

// printed gives everything that a program may print of a value.
func printed(tb testing.TB, value any) string {
	tb.Helper()
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", value)
	}
	if text, err := json.Marshal(value); err == nil {
		out.Write(text)
	}
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
		slog.New(handler).Info("test", "value", value, "list", []any{value}, "group", struct{ Inner any }{value})
	}
	out.Write(logged.Bytes())
	if err, ok := value.(error); ok {
		for ; err != nil; err = errors.Unwrap(err) {
			out.WriteString(err.Error())
		}
	}
	return out.String()
}

// numbers is how fmt prints the bytes of a text that is in a []byte.
func numbers(text string) string {
	var list []string
	for _, b := range []byte(text) {
		list = append(list, strconv.Itoa(int(b)))
	}
	return strings.Join(list, " ")
}

func wantNoSecret(tb testing.TB, value any, secrets ...string) {
	tb.Helper()
	text := printed(tb, value)
	for _, secret := range secrets {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), numbers(secret)} {
			if at := strings.Index(text, form); at >= 0 {
				tb.Errorf("%.20s... is in what %T prints, after %q", secret, value, text[max(0, at-60):at])
			}
		}
	}
}

// TestVerifierVerify_PrintsNoSecret drives every way to fail with marked secrets and searches
// all that can be printed.
func TestVerifierVerify_PrintsNoSecret(t *testing.T) {
	t.Parallel()
	const query = "key-SECRET-55aa"
	raw := globusToken(t, keyOne())
	parts := strings.Split(raw, ".")
	secrets := []string{nonce, accessToken, raw, parts[1], parts[2], query}

	t.Run("values", func(t *testing.T) {
		t.Parallel()
		wantNoSecret(t, full(), secrets...)
		expect := full()
		wantNoSecret(t, &expect, secrets...)
		if text := printed(t, full()); !strings.Contains(text, "MaxAge: 1h0m0s") || !strings.Contains(text, "Nonce: [redacted]") {
			t.Errorf("an expectation prints as %s", text)
		}
		config := offlineConfig(t)
		verifier := newVerifier(t, config)
		claims, err := verifier.Verify(t.Context(), raw, full())
		if err != nil {
			t.Fatal(err)
		}
		wantNoSecret(t, claims, secrets...)
		wantNoSecret(t, *claims, secrets...)
		wantNoSecret(t, verifier, secrets...)
	})

	t.Run("refused tokens", func(t *testing.T) {
		t.Parallel()
		changes := []object{
			{"iss": "x"},
			{"aud": "x"},
			{"aud": 1},
			{"azp": "x"},
			{"sub": nil},
			{"exp": 1},
			{"exp": nil},
			{"exp": nonce},
			{"iat": nil},
			{"nbf": 1 << 40},
			{"nonce": "other"},
			{"nonce": nil},
			{"nonce": []string{nonce}},
			{"at_hash": "x"},
			{"auth_time": 1},
			{"sub": object{nonce: accessToken}},
		}
		verifier := newVerifier(t, offlineConfig(t))
		for _, change := range changes {
			claims := with(globusClaims(), change)
			refused := sign(t, keyOne(), globusHeader(), claims)
			_, err := verifier.Verify(t.Context(), refused, full())
			if err == nil {
				t.Errorf("accepted with %v", change)
			}
			wantNoSecret(t, err, append(secrets, refused, strings.Split(refused, ".")[1])...)
		}
		for _, broken := range []string{raw[:len(raw)/2], raw[1:], raw + "x", raw + ".", parts[1] + "." + parts[0] + "." + parts[2]} {
			_, err := verifier.Verify(t.Context(), broken, full())
			if err == nil {
				t.Errorf("a broken token was accepted")
			}
			wantNoSecret(t, err, append(secrets, broken)...)
		}
		duplicate := signText(t, keyOne(), encode(t, globusHeader()), []byte(`{"`+nonce+`":1,"`+nonce+`":2}`))
		_, err := verifier.Verify(t.Context(), duplicate, full())
		wantCheck(t, err, "duplicate")
		wantNoSecret(t, err, secrets...)
	})

	t.Run("unavailable keys", func(t *testing.T) {
		t.Parallel()
		responses := []func(*provider){
			func(p *provider) { p.failure = errDown },
			func(p *provider) { p.status = http.StatusInternalServerError },
			func(p *provider) { p.edit = object{"issuer": nil} },
			func(p *provider) { p.keys = []byte(`{}`) },
		}
		for _, response := range responses {
			p := newProvider(t)
			response(p)
			inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
				t.Helper()
				config.ConfigurationURL = issuer + configurationPath + "?token=" + query
				p.edit = with(object{"jwks_uri": issuer + keysPath + "?token=" + query}, p.edit)
				_, err := newVerifier(t, config).Verify(t.Context(), raw, full())
				if !errors.Is(err, idtoken.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				wantNoSecret(t, err, secrets...)
			})
		}
		_, err := idtoken.New(idtoken.Config{ClientID: clientID, ConfigurationURL: "http://user:" + query + "@keys.example/?token=" + query})
		if err == nil {
			t.Error("accepted")
		}
		wantNoSecret(t, err, secrets...)
		_, err = idtoken.New(idtoken.Config{ClientID: clientID, ConfigurationURL: "ht tp://" + query})
		if err == nil {
			t.Error("accepted")
		}
		wantNoSecret(t, err, secrets...)
	})
}
