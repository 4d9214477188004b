//go:build interop

package redisstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

const password = "SECRET-PASSWORD"

// What is wrong with a server is found before fn is called, and the error says what to do.
func TestStoreUpdate_FaultsOfTheServer(t *testing.T) {
	t.Parallel()
	secret := startServer(t, "--requirepass", password)
	certificate, roots := selfSigned(t)
	secure := startServer(t, "--tls-cert-file", certificate+".crt", "--tls-key-file", certificate+".key", "--tls-auth-clients", "no", "--tls-ca-cert-file", certificate+".crt")
	full := startServer(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	primary := startServer(t)
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := startServer(t, "--replicaof", host+" "+port)
	lonely := startServer(t, "--min-replicas-to-write", "1")
	one := startServer(t)
	command(t, one.client(t), "ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+get", "+eval", "+evalsha", "+client", "+hello")
	command(t, one.client(t), "ACL", "SETUSER", "elsewhere", "on", ">"+password, "~other:*", "+@all")

	for name, test := range map[string]struct {
		options redis.Options
		want    string
	}{
		"not there":          {redis.Options{Addr: "127.0.0.1:1", Password: password}, "start it, or correct the address"},
		"no password":        {redis.Options{Addr: secret.Addr}, "set Password"},
		"wrong password":     {redis.Options{Addr: secret.Addr, Password: password + "-wrong"}, "user name or password is wrong"},
		"replica":            {redis.Options{Addr: replica.Addr}, "connect to the primary"},
		"full":               {redis.Options{Addr: full.Addr}, "raise maxmemory"},
		"without replicas":   {redis.Options{Addr: lonely.Addr}, "min-replicas-to-write"},
		"may only read":      {redis.Options{Addr: one.Addr, Username: "reader", Password: password}, "allow it +get"},
		"may not use prefix": {redis.Options{Addr: one.Addr, Username: "elsewhere", Password: password}, "keys with the prefix"},
		"TLS to no TLS":      {redis.Options{Addr: primary.Addr, TLSConfig: &tls.Config{RootCAs: roots}}, "with or without TLS"},
		"no TLS to TLS":      {redis.Options{Addr: secure.Addr}, "set TLSConfig"},
		"unknown authority":  {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{}}, "set RootCAs"},
		"wrong name":         {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{RootCAs: roots, ServerName: "example.org"}}, "ServerName"},
		"TLS":                {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{RootCAs: roots}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := time.Duration(0)
			if name == "TLS to no TLS" { // the server is silent
				limit = time.Second
			}
			store, begin, called := newStore(t, newClient(t, test.options), config().With(0, limit)), time.Now(), false
			_, err := store.Update(t.Context(), fleettest.Key(), func(current tokens.Set) (tokens.Set, error) { called = true; return current, nil })
			if test.want == "" {
				if err != nil || !called {
					t.Errorf("error %v", err)
				}
				return
			}
			if called {
				t.Error("fn was called")
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "redisstore: update: ") {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, store, store); strings.Contains(text, password) {
				t.Errorf("the password is in %s", text)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("the error took %v", took)
			}
		})
	}
}

// A connection that fails at any step, in any way, changes nothing for the caller.
func TestStore_ConnectionFails(t *testing.T) {
	t.Parallel()
	for step, text := range map[string]string{
		"load": "get\r\n", "acquire": redisstore.AcquireHash, "extend": redisstore.ExtendHash, "commit": redisstore.CommitHash, "release": redisstore.ReleaseHash,
	} {
		for _, fault := range fleettest.Faults() {
			t.Run(step+" "+fault, func(t *testing.T) {
				t.Parallel()
				proxy := fleettest.NewProxy(t, shared.Addr)
				client := newClient(t, redis.Options{Addr: proxy.Addr().String()})
				store := newStore(t, client, config().With(testLease, time.Second))
				put(t, store, "A")
				proxy.FailAt(text, fault)
				calls := 0
				_, err := store.Update(t.Context(), fleettest.Key(), func(current tokens.Set) (tokens.Set, error) {
					if calls++; !current.Equal(one(t, "A")) {
						t.Errorf("current is %v", current)
					}
					time.Sleep(testLease)
					return one(t, "B"), nil
				})
				if err != nil || calls != 1 {
					t.Errorf("Update: %v, %d calls", err, calls)
				}
				holds(t, store, "B")
				put(t, store, "B") // changes nothing, so that the lease is released
				if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
					t.Error(err)
				}
				if set, err := store.Load(t.Context(), fleettest.Key()); err != nil || !set.Equal(tokens.Set{}) {
					t.Errorf("after Delete: %v, %v", set, err)
				}
				if proxy.Failures() != 1 {
					t.Errorf("%d failures", proxy.Failures())
				}
			})
		}
	}
}

// selfSigned writes a certificate and its key for 127.0.0.1.
func selfSigned(tb testing.TB) (path string, roots *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(certificate)
	path = filepath.Join(tb.TempDir(), "redis")
	for end, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path+end, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return path, roots
}
