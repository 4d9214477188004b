package idtoken_test

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hmacWithPublicKey signs with the published key as if it were a shared secret.
func hmacWithPublicKey(t *testing.T, _ string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&keyOne().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString(encode(t, with(globusHeader(), object{"alg": "HS256"}))) + "." +
		base64.RawURLEncoding.EncodeToString(encode(t, globusClaims()))
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func signedBy(key func() *rsa.PrivateKey) func(*testing.T, string) string {
	return func(t *testing.T, _ string) string {
		t.Helper()
		return globusToken(t, key())
	}
}

// withEmbeddedKey brings the key that verifies it along.
func withEmbeddedKey(t *testing.T, _ string) string {
	t.Helper()
	header := with(globusHeader(), object{"jwk": publicJWK(keyTwo()), "jku": "https://evil.example/jwk.json"})
	return sign(t, keyTwo(), header, globusClaims())
}

func changedPayload(t *testing.T, raw string) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString(encode(t, with(globusClaims(), object{"sub": "mallory"})))
	return strings.Join(parts, ".")
}

func changedSignature(_ *testing.T, raw string) string {
	at := strings.LastIndexByte(raw, '.') + 7
	other := byte('A')
	if raw[at] == other {
		other = 'B'
	}
	return raw[:at] + string(other) + raw[at+1:]
}

func foreignSignature(t *testing.T, raw string) string {
	t.Helper()
	other := sign(t, keyOne(), globusHeader(), with(globusClaims(), object{"sub": "mallory"}))
	return raw[:strings.LastIndexByte(raw, '.')] + other[strings.LastIndexByte(other, '.'):]
}

// idleBits sets a bit of the last character that encodes nothing: the decoded
// signature is the same.
func idleBits(_ *testing.T, raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[last|1])
}

func duplicateAlg(t *testing.T, _ string) string {
	t.Helper()
	return signText(t, keyOne(), []byte(`{"alg":"RS512","alg":"none"}`), encode(t, globusClaims()))
}

func nullCritical(t *testing.T, _ string) string {
	t.Helper()
	return signText(t, keyOne(), []byte(`{"alg":"RS512","crit":null}`), encode(t, globusClaims()))
}

// readFixture reads a recorded document from testdata.
func readFixture(tb testing.TB, name string, target any) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, target); err != nil {
		tb.Fatal(err)
	}
}
