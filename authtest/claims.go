package authtest

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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

// lastLogin is when an identity signed in last, the zero time for never.
func lastLogin(i *identity) unixtime.Time {
	if i.LastLogin == 0 {
		return unixtime.Time{}
	}
	return unixtime.Time{Time: time.Unix(i.LastLogin, 0)}
}

func (i *identity) linkedDocument() server.LinkedIdentity {
	return server.LinkedIdentity{
		Sub: orNull(i.ID), Username: orNull(i.Username), Name: orNull(i.Name), Email: orNull(i.Email),
		Organization: orAbsent(i.Organization), Status: server.IdentityStatus(i.Status), IdentityProvider: orNull(i.provider.ID),
		IdentityProviderDisplayName: orNull(i.provider.Name), LastAuthentication: orNull(lastLogin(i)),
	}
}

func (i *identity) setDocument() []server.LinkedIdentity {
	return documents(slices.Values(i.identitySet()), nil, (*identity).linkedDocument)
}

// personClaims returns the claims about an identity that the scopes of a token
// allow: profile, email and view_identity_set.
func personClaims(token *token) server.Userinfo {
	i := token.identity
	claims := server.Userinfo{Sub: i.ID}
	if token.has(scopes.AuthProfile) {
		claims.Name, claims.PreferredUsername = orNull(i.Name), orNull(i.Username)
		claims.IdentityProvider, claims.IdentityProviderDisplayName = orNull(i.provider.ID), orNull(i.provider.Name)
		claims.LastAuthentication, claims.Organization = orNull(lastLogin(i)), orAbsent(i.Organization)
	}
	if token.has(scopes.AuthEmail) {
		claims.Email = orNull(i.Email)
	}
	if token.has(scopes.AuthViewIdentitySet) {
		claims.IdentitySet.Set(i.setDocument())
	}
	return claims
}

// idTokenClaims prepares the ID token that goes with an access token.
func (e *engine) idTokenClaims(token *token, issuer, nonce string) *idClaims {
	return &idClaims{
		Userinfo: personClaims(token), Issuer: issuer, Audience: token.client.ID, Nonce: nonce,
		Issued: unixSeconds(token.issued), Expires: unixSeconds(token.ends),
	}
}

// sign makes the token: RS512, and like the service's without a key ID unless
// the configuration asks for one. at_hash is the left half of the access
// token's SHA-512 (OpenID Connect Core 3.1.3.6).
func (c idClaims) sign(key *signingKey, accessToken string) (string, error) {
	hash := sha512.Sum512([]byte(accessToken))
	c.Hash = base64.RawURLEncoding.EncodeToString(hash[:len(hash)/2])
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("authtest: sign an ID token: %w", err)
	}
	header := jws.NewHeaders()
	_ = header.Set(jws.TypeKey, "JWT") // fails only for a value of another type
	if key.ID != "" {
		_ = header.Set(jws.KeyIDKey, key.ID)
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.RS512, key.private, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("authtest: sign an ID token: %w", err)
	}
	return string(signed), nil
}
