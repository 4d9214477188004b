package guard_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
)

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(tb testing.TB) (certificateFile, keyFile string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "guard"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return writePEM(tb, "CERTIFICATE", der), keyPEM(tb, key)
}

// keyPEM writes a private key in PKCS #8.
func keyPEM(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return writePEM(tb, "PRIVATE KEY", der)
}

func writePEM(tb testing.TB, kind string, der []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestNew_UnsafeKey has a key that other users can read, and one that is no file.
func TestNew_UnsafeKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	readable := keyPEM(t, key)
	if err := os.Chmod(readable, 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{readable: "chmod 600", t.TempDir(): "directory"} {
		for _, config := range []string{"assertion: {key_file: " + file + ", audience: a}\n", "tls: {certificate_file: " + file + ", key_file: " + file + "}\n"} {
			_, err := guard.New(read(t, "upstream: http://a\n"+config), w.OAuth)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", config, err, want)
			}
		}
	}
}

// edwardsKey writes an Ed25519 key.
func edwardsKey(tb testing.TB) string {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return keyPEM(tb, key)
}
