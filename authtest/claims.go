package authtest

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/unixtime"
)

// idClaims are the claims of an ID token that is not signed yet.
type idClaims struct {
	server.Userinfo

	Issuer   string        `json:"iss"`
	Audience string        `json:"aud"`
	Issued   unixtime.Time `json:"iat"`
	Expires  unixtime.Time `json:"exp"`
	Nonce    string        `json:"nonce,omitempty"`
	Hash     string        `json:"at_hash"`
}

func (i *identity) linkedDocument() server.LinkedIdentity {
	return server.LinkedIdentity{
		Sub: orNull(i.id), Username: orNull(i.username), Name: orNull(i.name), Email: orNull(i.email),
		Organization: orAbsent(i.organization), Status: i.status, IdentityProvider: orNull(i.provider.id),
		IdentityProviderDisplayName: orNull(i.provider.name), LastAuthentication: orNull(unixSeconds(i.lastLogin)),
	}
}

func (i *identity) setDocument() []server.LinkedIdentity {
	var documents []server.LinkedIdentity
	for _, linked := range i.identitySet() {
		documents = append(documents, linked.linkedDocument())
	}
	return documents
}

// personClaims returns the claims about an identity that the scopes of a token
// allow: profile, email and view_identity_set.
func personClaims(token *accessToken) server.Userinfo {
	i := token.identity
	has := func(name scopes.Scope) bool {
		return slices.ContainsFunc(token.scopes, func(s *scope) bool { return s.text == string(name) })
	}
	claims := server.Userinfo{Sub: i.id}
	if has(scopes.AuthProfile) {
		claims.Name, claims.PreferredUsername = orNull(i.name), orNull(i.username)
		claims.IdentityProvider, claims.IdentityProviderDisplayName = orNull(i.provider.id), orNull(i.provider.name)
		claims.LastAuthentication, claims.Organization = orNull(unixSeconds(i.lastLogin)), orAbsent(i.organization)
	}
	if has(scopes.AuthEmail) {
		claims.Email = orNull(i.email)
	}
	if has(scopes.AuthViewIdentitySet) {
		claims.IdentitySet.Set(i.setDocument())
	}
	return claims
}

// idTokenClaims prepares the ID token that goes with an access token.
func (e *engine) idTokenClaims(token *accessToken, issuer, nonce string) *idClaims {
	return &idClaims{
		Userinfo: personClaims(token), Issuer: issuer, Audience: token.client.id, Nonce: nonce,
		Issued: unixSeconds(token.issued), Expires: unixSeconds(token.expires),
	}
}

// sign makes the token: RS512, and like the service's without a key ID unless
// the server was told to give one. at_hash is the left half of the access
// token's SHA-512 (OpenID Connect Core 3.1.3.6).
func (c idClaims) sign(key *signingKey, accessToken string) (string, error) {
	hash := sha512.Sum512([]byte(accessToken))
	c.Hash = base64.RawURLEncoding.EncodeToString(hash[:len(hash)/2])
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
