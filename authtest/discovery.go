package authtest

import (
	"context"
	"net/http"

	"github.com/globusauth/globusauth/internal/server"
)

// base returns the address of the server without a slash at the end: the
// configured one, or the one that the request was sent to.
func (e *engine) base(r *http.Request) string {
	if e.config.BaseURL != "" {
		return e.config.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// GetOpenIDConfiguration describes the server (OpenID Connect Discovery 1.0).
func (a api) GetOpenIDConfiguration(ctx context.Context, _ server.GetOpenIDConfigurationRequestObject) (server.GetOpenIDConfigurationResponseObject, error) {
	base := a.base(callFrom(ctx).request)
	return server.OpenIDConfiguration{
		Issuer:                            base,
		AuthorizationEndpoint:             base + "/v2/oauth2/authorize",
		UserinfoEndpoint:                  base + "/v2/oauth2/userinfo",
		TokenEndpoint:                     base + "/v2/oauth2/token",
		RevocationEndpoint:                base + "/v2/oauth2/token/revoke",
		JWKSURI:                           base + "/jwk.json",
		ResponseTypesSupported:            []string{"code", "token", "token id_token", "id_token"},
		IDTokenSigningAlgValuesSupported:  []string{"RS512"},
		ScopesSupported:                   []string{"openid", "email", "profile"},
		TokenEndpointAuthMethodsSupported: []string{"client_secret_basic"},
		ClaimsSupported: []string{
			"at_hash", "aud", "email", "exp", "name", "nonce", "preferred_username", "iat", "iss", "sub",
		},
		SubjectTypesSupported: []string{"public"},
	}, nil
}
