package authtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificates are what a server with TLS shows: a valid one, or one that has
// expired.
type certificates struct {
	valid, expired tls.Certificate
}

// newCertificates makes both for the loopback addresses. The valid one signs
// itself and the other.
func newCertificates() (*certificates, error) {
	now := time.Now()
	valid, err := sign(tls.Certificate{}, now.Add(-time.Hour), now.Add(24*time.Hour))
	if err != nil {
		return nil, err
	}
	expired, err := sign(valid, now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	return &certificates{valid: valid, expired: expired}, nil
}

// sign makes a certificate that an authority signs, or the certificate itself
// when there is none.
func sign(authority tls.Certificate, from, until time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("authtest: certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.Unix()), Subject: pkix.Name{CommonName: "authtest " + until.Format(time.DateOnly)},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true,
	}
	parent, signer := authority.Leaf, authority.PrivateKey
	if parent == nil {
		template.IsCA = true
		template.KeyUsage |= x509.KeyUsageCertSign
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("authtest: certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("authtest: certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// config shows each new connection the certificate that the faults ask for.
func (c *certificates) config(e *engine) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c.valid},
		SessionTicketsDisabled: true, // a resumed session would not see the certificate
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			shown := c.valid
			if e.expiredTLS() {
				shown = c.expired
			}
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{shown}, SessionTicketsDisabled: true}, nil
		},
	}
}

// expiredTLS reports whether a new connection shall get the expired certificate.
func (e *engine) expiredTLS() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		if f.Kind == FaultExpiredTLS && e.fires(f) {
			return true
		}
	}
	return false
}
