package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/secretfile"
	"github.com/globusauth/globusauth/resourceserver"
)

const maxKeyBytes = 64 << 10

// signer makes signed statements about callers (RFC 7519).
type signer struct {
	key       jwk.Key
	algorithm jwa.SignatureAlgorithm
	public    jwk.Set
	config    Assertion
	now       func() time.Time
}

func newSigner(config Assertion, now func() time.Time) (*signer, error) {
	text, err := secretfile.Read(config.KeyFile, maxKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("assertion: key_file: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("assertion: key_file %s: %w", config.KeyFile, err)
	}
	s := &signer{key: key, public: jwk.NewSet(), config: config, now: now}
	if s.config.Lifetime == 0 {
		s.config.Lifetime = Duration(time.Minute)
	}
	if s.config.Issuer == "" {
		s.config.Issuer = "globus-auth-guard"
	}
	switch key := key.(type) {
	case jwk.OKPPrivateKey:
		s.algorithm = jwa.EdDSA
	case jwk.ECDSAPrivateKey:
		s.algorithm = jwa.ES256
		if key.Crv() != jwa.P256 {
			return nil, errors.New("assertion: the EC key is not P-256")
		}
	case jwk.RSAPrivateKey:
		s.algorithm = jwa.RS256
	default:
		return nil, errors.New("assertion: the key is not a private key for Ed25519, EC P-256 or RSA")
	}
	if err := jwk.AssignKeyID(key); err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	return s, errors.Join(public.Set(jwk.AlgorithmKey, s.algorithm), public.Set(jwk.KeyUsageKey, "sig"), s.public.AddKey(public))
}

// parseKey reads a private key in PEM or JWK form. Errors do not contain the key.
func parseKey(text []byte) (jwk.Key, error) {
	if key, err := jwk.ParseKey(text, jwk.WithPEM(true)); err == nil {
		return key, nil
	}
	if key, err := jwk.ParseKey(text); err == nil {
		return key, nil
	}
	return nil, errors.New("the file has no key in PEM or JWK form")
}

// assertion returns the signed statement about a caller, empty if none is configured or the caller is anonymous.
func (g *Guard) assertion(caller *resourceserver.CallerInfo) (string, error) {
	if g.signer == nil || caller == nil {
		return "", nil
	}
	return g.signer.sign(caller)
}

// sign returns a JWT about the caller.
func (s *signer) sign(caller *resourceserver.CallerInfo) (string, error) {
	now := s.now()
	expiry := now.Add(time.Duration(s.config.Lifetime))
	if caller.Expiry.Before(expiry) {
		expiry = caller.Expiry
	}
	token, err := jwt.NewBuilder().Issuer(s.config.Issuer).Subject(caller.Subject).Audience([]string{s.config.Audience}).
		IssuedAt(now).Expiration(expiry).
		Claim("username", caller.Username).Claim("name", caller.Name).Claim("email", caller.Email).
		Claim("client_id", caller.ClientID).Claim("scope", caller.Scope).Claim("identities", caller.Identities).
		Claim("session_identity", caller.SessionIdentity).Claim("service", caller.Service).Build()
	if err != nil {
		return "", fmt.Errorf("guard: assertion: %w", err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(s.algorithm, s.key))
	if err != nil {
		return "", fmt.Errorf("guard: assertion: %w", err)
	}
	return string(signed), nil
}
