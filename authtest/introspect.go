package authtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// Introspect describes an access token (RFC 7662). The caller must be
// in its audience: the client that it was issued to, or the owner of one of its
// scopes. For anything else, refresh tokens included, the token is not active.
func (a api) Introspect(ctx context.Context, request server.IntrospectRequestObject) (server.IntrospectResponseObject, error) {
	c := callFrom(ctx)
	id, secret, _ := c.basicCredentials()
	asking, _, err := a.clientByPair(id, secret)
	if err != nil {
		return nil, err
	}
	if request.Body.Token == "" {
		return nil, oauthProblem("invalid_request", "token is required")
	}
	token := a.liveToken(request.Body.Token)
	if token == nil || !token.isFor(asking) {
		return server.Introspection{}, nil
	}
	document := a.introspection(token, a.base(c.request))
	for _, include := range splitList(c.request.Form["include"]) {
		switch include {
		case "identity_set", "identities_set":
			document.IdentitySet.Set(documents(slices.Values(token.identity.identitySet()), nil, func(i *identity) string { return i.ID }))
		case "identity_set_detail":
			document.IdentitySetDetail.Set(token.identity.setDocument())
		case "session_info":
			document.SessionInfo.Set(token.session.infoDocument())
		}
	}
	if ids := splitList(c.request.Form["authentication_policies"]); len(ids) > 0 {
		evaluations := map[string]server.PolicyEvaluation{}
		for _, id := range ids {
			if p := a.policies.get(id); p != nil {
				evaluations[p.ID] = server.PolicyEvaluation{Evaluation: a.satisfied(p, token.session, token.identity)}
			}
		}
		document.PolicyEvaluations.Set(evaluations)
	}
	return document, nil
}

// isFor reports whether a client is in the audience of a token.
func (t *token) isFor(c *client) bool {
	return t.client == c || slices.ContainsFunc(t.scopes, func(s *scope) bool { return s.client == c })
}

// introspection is what is returned for every valid token.
func (e *engine) introspection(token *token, issuer string) server.Introspection {
	key := sha256.Sum256([]byte(token.value))
	return server.Introspection{
		Active: true, TokenType: "Bearer", Scope: names(token.scopes), ClientID: orNull(token.client.ID),
		Username: token.identity.Username, Name: orNull(token.identity.Name), Email: orNull(token.identity.Email),
		Sub: token.identity.ID, Aud: []string{token.server, token.client.ID}, Iss: issuer,
		Exp: unixSeconds(token.ends), Iat: unixSeconds(token.issued), Nbf: unixSeconds(token.issued),
		DependentTokensCacheID: orNull(hex.EncodeToString(key[:8])),
	}
}

// splitList takes a list joined with commas, given several times, or both.
func splitList(values []string) []string {
	return trimmed(strings.Split(strings.Join(values, ","), ","))
}

// mayRevoke reports whether a client may ask about and revoke a client's tokens:
// its own, and as the template of a native app those of its instances, whose
// programs log out under the template's ID.
func (c *client) mayRevoke(owner *client) bool {
	return c == owner || owner.Instance && owner.Parent == c.ID
}

// Validate tells a client whether one of its tokens is active. It is deprecated
// and undocumented; Globus' own command-line client sends refresh tokens here.
func (a api) Validate(ctx context.Context, request server.ValidateRequestObject) (server.ValidateResponseObject, error) {
	asking, _, err := a.tokenClient(callFrom(ctx), request.Body.ClientID)
	if err != nil {
		return nil, err
	}
	t := a.liveToken(request.Body.Token)
	if t == nil {
		t = a.refresh.byValue[request.Body.Token]
	}
	return server.Revocation{Active: a.live(t) && asking.mayRevoke(t.client)}, nil
}

// Revoke ends an access or refresh token (RFC 7009). A token that is unknown or
// another client's is left alone, and so is a missing one, with the same response:
// Globus' own clients send none for a token that they do not have.
func (a api) Revoke(ctx context.Context, request server.RevokeRequestObject) (server.RevokeResponseObject, error) {
	asking, _, err := a.tokenClient(callFrom(ctx), request.Body.ClientID)
	if err != nil {
		return nil, err
	}
	if t := a.access.byValue[request.Body.Token]; t != nil && asking.mayRevoke(t.client) {
		a.access.drop(t)
		a.changed()
	}
	if t := a.refresh.byValue[request.Body.Token]; t != nil && asking.mayRevoke(t.client) {
		t.family.revoked = true // and with it the access tokens that it gave
		a.refresh.drop(t)
		a.changed()
	}
	return server.Revocation{}, nil
}

// GetUserinfo returns the claims about the subject of a token.
func (a api) GetUserinfo(ctx context.Context, _ server.GetUserinfoRequestObject) (server.GetUserinfoResponseObject, error) {
	return a.userinfo(ctx)
}

// PostUserinfo is GetUserinfo by POST.
func (a api) PostUserinfo(ctx context.Context, _ server.PostUserinfoRequestObject) (server.PostUserinfoResponseObject, error) {
	return a.userinfo(ctx)
}

func (a api) userinfo(ctx context.Context) (server.Userinfo, error) {
	caller, err := a.bearerWith(callFrom(ctx), scopes.AuthOpenID)
	if err != nil {
		return server.Userinfo{}, err
	}
	return personClaims(caller.token), nil
}
