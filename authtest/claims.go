package authtest

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/globusauth/globusauth/scopes"
)

// idClaims are the claims of an ID token that is not signed yet.
type idClaims map[string]any

// linkedDocument is an identity within an identity set.
type linkedDocument struct {
	Sub                         string  `json:"sub"`
	Username                    string  `json:"username"`
	Name                        *string `json:"name"`
	Email                       *string `json:"email"`
	Organization                *string `json:"organization,omitempty"`
	Status                      string  `json:"status,omitempty"`
	IdentityProvider            string  `json:"identity_provider"`
	IdentityProviderDisplayName string  `json:"identity_provider_display_name"`
	LastAuthentication          *int64  `json:"last_authentication"`
}

// lastAuthentication is null when the identity never signed in.
func (i *identity) lastAuthentication() *int64 {
	if i.lastLogin.IsZero() {
		return nil
	}
	seconds := i.lastLogin.Unix()
	return &seconds
}

func (i *identity) linkedDocument() linkedDocument {
	return linkedDocument{
		Sub: i.id, Username: i.username, Name: orNull(i.name), Email: orNull(i.email), Organization: orNull(i.organization),
		Status: i.status, IdentityProvider: i.provider.id, IdentityProviderDisplayName: i.provider.name,
		LastAuthentication: i.lastAuthentication(),
	}
}

func (i *identity) setDocument() []linkedDocument {
	var documents []linkedDocument
	for _, linked := range i.identitySet() {
		documents = append(documents, linked.linkedDocument())
	}
	return documents
}

// personClaims adds the claims about an identity that the scopes of a token
// allow: profile, email and view_identity_set.
func personClaims(claims map[string]any, token *accessToken) {
	i := token.identity
	has := func(name scopes.Scope) bool {
		return slices.ContainsFunc(token.scopes, func(s *scope) bool { return s.text == string(name) })
	}
	claims["sub"] = i.id
	if has(scopes.AuthProfile) {
		claims["name"] = orNull(i.name)
		claims["preferred_username"] = i.username
		claims["identity_provider"] = i.provider.id
		claims["identity_provider_display_name"] = i.provider.name
		claims["last_authentication"] = i.lastAuthentication()
		if i.organization != "" {
			claims["organization"] = i.organization
		}
	}
	if has(scopes.AuthEmail) {
		claims["email"] = orNull(i.email)
	}
	if has(scopes.AuthViewIdentitySet) {
		claims["identity_set"] = i.setDocument()
	}
}

// idTokenClaims prepares the ID token that goes with an access token.
func (e *engine) idTokenClaims(token *accessToken, issuer, nonce string) *idClaims {
	claims := idClaims{
		"iss": issuer, "aud": token.client.id, "iat": token.issued.Unix(), "exp": token.expires.Unix(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	personClaims(claims, token)
	return &claims
}

// sign makes the token: RS512, and like the service's without a key ID unless
// the server was told to give one. at_hash is the left half of the access
// token's SHA-512 (OpenID Connect Core 3.1.3.6).
func (c idClaims) sign(key *signingKey, accessToken string) (string, error) {
	hash := sha512.Sum512([]byte(accessToken))
	c["at_hash"] = base64.RawURLEncoding.EncodeToString(hash[:len(hash)/2])
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("authtest: sign an ID token: %w", err)
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.TypeKey, "JWT"); err != nil {
		return "", fmt.Errorf("authtest: sign an ID token: %w", err)
	}
	if key.id != "" {
		if err := header.Set(jws.KeyIDKey, key.id); err != nil {
			return "", fmt.Errorf("authtest: sign an ID token: %w", err)
		}
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.RS512, key.private, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("authtest: sign an ID token: %w", err)
	}
	return string(signed), nil
}
