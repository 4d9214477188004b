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
	a.mu.Lock()
	base := a.base(callFrom(ctx).request)
	a.mu.Unlock()
	return ok(map[string]any{
		"issuer":                                base,
		"authorization_endpoint":                base + "/v2/oauth2/authorize",
		"userinfo_endpoint":                     base + "/v2/oauth2/userinfo",
		"token_endpoint":                        base + "/v2/oauth2/token",
		"revocation_endpoint":                   base + "/v2/oauth2/token/revoke",
		"jwks_uri":                              base + "/jwk.json",
		"response_types_supported":              []string{"code", "token", "token id_token", "id_token"},
		"id_token_signing_alg_values_supported": []string{"RS512"},
		"scopes_supported":                      []string{"openid", "email", "profile"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		"claims_supported": []string{
			"at_hash", "aud", "email", "exp", "name", "nonce", "preferred_username", "iat", "iss", "sub",
		},
		"subject_types_supported": []string{"public"},
	})
}
