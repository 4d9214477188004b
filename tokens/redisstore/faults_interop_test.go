//go:build interop

package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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
	silent := startServer(t)
	command(t, silent.client(t), "CLIENT", "PAUSE", time.Hour.Milliseconds(), "ALL")
	busy := startServer(t, "--busy-reply-threshold", "20")
	go busy.client(t).Eval(context.Background(), "while true do end", nil)
	eventually(t, "a script keeps the server busy", func() bool { return redis.HasErrorPrefix(busy.client(t).Ping(t.Context()).Err(), "BUSY") })
	broken := startServer(t)
	command(t, broken.client(t), "CONFIG", "SET", "save", "1 1")
	if err := os.RemoveAll(broken.dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server cannot write its data", func() bool {
		_ = broken.client(t).BgSave(t.Context()).Err()
		return strings.Contains(broken.client(t).Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
	})
	command(t, one.client(t), "ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+get", "+eval", "+client", "+hello")
	command(t, one.client(t), "ACL", "SETUSER", "enough", "on", ">"+password, "~*", "+get", "+set", "+del", "+pexpire", "+scan", "+eval")
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
		"silent":             {redis.Options{Addr: silent.Addr, Password: password}, "did not respond within 1s"},
		"busy":               {redis.Options{Addr: busy.Addr}, "busy with a script"},
		"cannot write":       {redis.Options{Addr: broken.Addr}, "cannot write to its disk"},
		"without replicas":   {redis.Options{Addr: lonely.Addr}, "min-replicas-to-write"},
		"may only read":      {redis.Options{Addr: one.Addr, Username: "reader", Password: password}, "allow it +get"},
		"may not use prefix": {redis.Options{Addr: one.Addr, Username: "elsewhere", Password: password}, "keys with the prefix"},
		"enough rights":      {redis.Options{Addr: one.Addr, Username: "enough", Password: password}, ""},
		"TLS to no TLS":      {redis.Options{Addr: primary.Addr, TLSConfig: &tls.Config{RootCAs: roots}}, "with or without TLS"},
		"no TLS to TLS":      {redis.Options{Addr: secure.Addr}, "set TLSConfig"},
		"unknown authority":  {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{}}, "set RootCAs"},
		"wrong name":         {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{RootCAs: roots, ServerName: "example.org"}}, "ServerName"},
		"TLS":                {redis.Options{Addr: secure.Addr, TLSConfig: &tls.Config{RootCAs: roots}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := config()
			if name == "TLS to no TLS" || name == "silent" {
				config = config.With(0, time.Second)
			}
			store := newStore(t, newClient(t, test.options), config)
			if test.want == "" {
				fleettest.Put(t, store, "A")
				if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
					t.Error(err)
				}
				if _, err := store.Keys(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
			fleettest.Refused(t, store, test.want, password)
		})
	}
}

// A connection that fails at any step, in any way, changes nothing for the caller.
func TestStore_ConnectionFails(t *testing.T) {
	t.Parallel()
	fleettest.ConnectionFails(t, shared.Addr, map[string]string{
		"load": "get\r\n", "acquire": redisstore.AcquireScript, "extend": redisstore.ExtendScript, "commit": redisstore.CommitScript, "release": redisstore.ReleaseScript,
	}, func(t *testing.T, address *net.TCPAddr, lease time.Duration) tokens.Store {
		t.Helper()
		return newStore(t, newClient(t, redis.Options{Addr: address.String()}), config().With(lease, time.Second))
	})
}

func TestStoreUpdate_HoldsNoConnection(t *testing.T) {
	t.Parallel()
	fleettest.HoldsNoConnection(t, newStore(t, newClient(t, redis.Options{Addr: shared.Addr, PoolSize: 1}), config()))
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
