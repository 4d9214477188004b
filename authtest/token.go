package authtest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/unixtime"
)

// issue is what tokens are made for: what they have in common, with the consents to all their
// scopes (roots, or nodes below one for the dependent grant).
type issue struct {
	token
	offline      bool
	nonce, state string
}

// Token exchanges a grant for tokens.
func (a api) Token(ctx context.Context, request server.TokenRequestObject) (server.TokenResponseObject, error) {
	c := callFrom(ctx)
	form := request.Body
	c.grant = form.GrantType
	asking, used, err := a.tokenClient(c, form.ClientID)
	if err == nil && c.grant.Valid() && !slices.Contains(asking.grants(), c.grant) {
		err = oauthProblem("unauthorized_client", "A client of the type "+asking.Type+" cannot use this grant")
	}
	if err != nil {
		return nil, err
	}
	var documents []server.ResourceServerToken
	var claims *idClaims
	switch c.grant {
	case server.GrantTypeAuthorizationCode:
		documents, claims, err = a.exchangeCode(c, asking, used, form)
	case server.GrantTypeRefreshToken:
		documents, err = a.exchangeRefresh(asking, used, form)
	case server.GrantTypeClientCredentials:
		documents, claims, err = a.clientCredentials(c, asking, used, form)
	case server.GrantTypeDependentToken:
		documents, err = a.dependentTokens(asking, used, form)
	case "":
		err = oauthProblem("invalid_request", "grant_type is required")
	default:
		err = oauthProblem("unsupported_grant_type", "The grant is not offered")
	}
	if err != nil {
		return nil, err
	}
	c.outcome = "ok"
	if c.grant == server.GrantTypeDependentToken {
		return server.JSON(documents), nil
	}
	key := a.keys[0]
	return server.Response(func(w http.ResponseWriter) error { // signing takes a while: not under the lock
		first := documents[0]
		if claims != nil {
			signed, err := claims.sign(key, first.AccessToken)
			if err != nil {
				return err
			}
			first.IDToken.Set(signed)
		}
		return server.JSON(server.TokenResponse{
			AccessToken: first.AccessToken, ExpiresIn: first.ExpiresIn, IDToken: first.IDToken, RefreshToken: first.RefreshToken,
			ResourceServer: first.ResourceServer, Scope: first.Scope, State: first.State, TokenType: first.TokenType,
			OtherTokens: nullable.NewNullableWithValue(append([]server.ResourceServerToken{}, documents[1:]...)),
		})(w)
	}), nil
}

// tokenClient returns the client of a token or revocation request: one with its
// secret, or a public one that only names itself.
func (e *engine) tokenClient(c *call, formID string) (*client, *credential, error) {
	if id, secret, given := c.basicCredentials(); given {
		found, used, err := e.clientByPair(id, secret)
		if err == nil && formID != "" && !strings.EqualFold(formID, found.ID) {
			err = oauthProblem("invalid_request", "client_id names another client than the Authorization header")
		}
		return found, used, err
	}
	if formID == "" {
		return nil, nil, unauthorized("Call must be authenticated")
	}
	found := e.clients.get(formID)
	if found == nil {
		p := unauthorized("No client has this ID")
		p.oauth = "invalid_client"
		return nil, nil, p
	}
	if !found.public() {
		p := unauthorized("The client has a secret and must send it with Basic authentication")
		p.oauth = "invalid_client"
		return nil, nil, p
	}
	return found, nil, nil
}

// exchangeCode redeems an authorization code.
func (e *engine) exchangeCode(c *call, asking *client, used *credential, form *server.TokenRequest) ([]server.ResourceServerToken, *idClaims, error) {
	if form.Code == "" || form.RedirectURI == "" {
		return nil, nil, oauthProblem("invalid_request", "code and redirect_uri are required")
	}
	found := e.codes[form.Code]
	if found == nil || found.client != asking {
		return nil, nil, invalidGrant()
	}
	if found.login != nil { // it may be stolen: revoke what it gave (RFC 6749 section 4.1.2)
		found.login.revoked = true
		e.changed()
		return nil, nil, invalidGrant()
	}
	params := found.authorization.params
	if e.now().Sub(found.issued) >= codeLifetime || params.RedirectURI != form.RedirectURI || found.session.account != found.identity.account {
		return nil, nil, invalidGrant()
	}
	if err := checkVerifier(params.CodeChallenge, form.CodeVerifier); err != nil {
		return nil, nil, err
	}
	for _, given := range found.consents {
		if given.revoked {
			return nil, nil, invalidGrant()
		}
	}
	found.login = e.newGrant()
	common := found.token
	common.credential = used
	if c.request.URL.Query().Get("include_consented_scopes") == "true" {
		common.consents = withConsented(common.consents, found.identity, asking)
	}
	documents, claims := e.issueTokens(issue{common, found.authorization.offline, params.Nonce, params.State}, e.base(c.request))
	return documents, claims, nil
}

// checkVerifier applies PKCE (RFC 7636 section 4.6). A verifier without a
// challenge is refused: the client relies on a protection that it does not have.
func checkVerifier(challenge, verifier string) error {
	if challenge == "" {
		if verifier != "" {
			return invalidGrant()
		}
		return nil
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return invalidGrant()
	}
	hash := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(hash[:])), []byte(challenge)) != 1 {
		return invalidGrant()
	}
	return nil
}

// withConsented adds the other roots that an identity has consented to.
func withConsented(consents []*consent, i *identity, c *client) []*consent {
	all := slices.Clone(consents)
	for _, given := range i.consents {
		if given.parent == nil && given.client == c && !given.revoked && !slices.Contains(all, given) {
			all = append(all, given)
		}
	}
	return all
}

// exchangeRefresh makes a new access token. A refresh token gives one token, of
// one resource server; the response always has a refresh token.
func (e *engine) exchangeRefresh(asking *client, used *credential, form *server.TokenRequest) ([]server.ResourceServerToken, error) {
	if form.RefreshToken == "" {
		return nil, oauthProblem("invalid_request", "refresh_token is required")
	}
	found := e.refresh.byValue[form.RefreshToken]
	if !e.live(found) || found.client != asking {
		return nil, invalidGrant()
	}
	granted, consents, err := narrow(found, form.Scope)
	if err != nil {
		return nil, err
	}
	now, current := e.now(), found
	e.touch(found, e.config.RotateRefreshTokens)
	if e.config.RotateRefreshTokens {
		next := *found
		next.value, next.issued, next.ends, next.replaced = e.random.secret("fake-refresh-"), now, now.Add(refreshIdle), false
		current = &next
		e.keep(&e.refresh, current)
	}
	for _, given := range consents {
		given.LastUsed = now
	}
	access := *found
	access.value, access.credential, access.issued, access.ends = e.random.secret("fake-access-"), used, now, now.Add(e.config.AccessTokenLifetime)
	access.scopes, access.consents, access.replaced = granted, consents, false
	e.keep(&e.access, &access)
	return []server.ResourceServerToken{e.tokenDocument(&access, current.value)}, nil
}

// narrow picks the scopes that a refresh requests, or all.
func narrow(t *token, text string) ([]*scope, []*consent, error) {
	if text == "" {
		return t.scopes, t.consents, nil
	}
	var granted []*scope
	var consents []*consent
	for name := range strings.FieldsSeq(text) {
		at := slices.IndexFunc(t.scopes, func(s *scope) bool { return s.text == name })
		if at < 0 {
			return nil, nil, oauthProblem("invalid_scope", "The refresh token does not cover "+name)
		}
		granted = append(granted, t.scopes[at])
		consents = append(consents, t.consents[at])
	}
	return granted, consents, nil
}

// clientCredentials makes tokens for the client itself.
func (e *engine) clientCredentials(c *call, asking *client, used *credential, form *server.TokenRequest) ([]server.ResourceServerToken, *idClaims, error) {
	roots, unknown, _, err := e.parseScopes(form.Scope)
	switch {
	case err != nil:
		return nil, nil, oauthProblem("invalid_scope", "The scope cannot be read: "+err.Error())
	case len(unknown) > 0:
		return nil, nil, oauthProblem("invalid_scope", "requested unknown scopes: ["+strings.Join(unknown, ", ")+"]")
	case len(roots) == 0:
		return nil, nil, oauthProblem("invalid_request", "scope is required")
	}
	consents := make([]*consent, len(roots))
	for n, r := range roots {
		consents[n] = e.approve(asking.identity, asking, r, false, true, nil)
	}
	common := token{client: asking, credential: used, identity: asking.identity, consents: consents, login: e.newGrant()}
	documents, claims := e.issueTokens(issue{token: common}, e.base(c.request))
	return documents, claims, nil
}

// issueTokens makes one token for each resource server. The one for Globus Auth
// comes first: the ID token goes with it.
func (e *engine) issueTokens(i issue, issuer string) ([]server.ResourceServerToken, *idClaims) {
	var groups []*token
	now := e.now()
	for _, given := range i.consents {
		at := slices.IndexFunc(groups, func(t *token) bool { return t.server == given.scope.server })
		if at < 0 {
			group := i.token
			group.server, group.issued, group.ends, group.consents = given.scope.server, now, now.Add(e.config.AccessTokenLifetime), nil
			at = len(groups)
			if group.server == authServer {
				at = 0
			}
			groups = slices.Insert(groups, at, &group)
		}
		if !slices.Contains(groups[at].scopes, given.scope) {
			groups[at].scopes = append(groups[at].scopes, given.scope)
			groups[at].consents = append(groups[at].consents, given)
		}
	}
	documents := make([]server.ResourceServerToken, len(groups))
	for n, access := range groups {
		access.value = e.random.secret("fake-access-")
		refresh := ""
		if i.wantsRefresh(access) {
			access.family = e.newGrant()
			with := *access
			with.value, with.ends = e.random.secret("fake-refresh-"), now.Add(refreshIdle)
			refresh = with.value
			e.keep(&e.refresh, &with)
		}
		e.keep(&e.access, access)
		documents[n] = e.tokenDocument(access, refresh)
		documents[n].State = orAbsent(i.state)
	}
	if len(groups) == 0 || !groups[0].has(scopes.AuthOpenID) {
		return documents, nil
	}
	claims := e.idTokenClaims(groups[0], issuer, i.nonce)
	return documents, claims
}

// wantsRefresh reports whether a refresh token is issued with a token: offline access
// was requested, or the resource server registered that it needs one, and all scopes
// of the token allow it.
func (i issue) wantsRefresh(t *token) bool {
	return !slices.ContainsFunc(t.consents, func(given *consent) bool {
		return !given.scope.allowsRefresh || !i.offline && !given.requiresRefresh()
	})
}

// requiresRefresh reports whether the scope above was registered as needing
// refresh tokens for this one.
func (c *consent) requiresRefresh() bool {
	return c.parent != nil && slices.ContainsFunc(c.parent.scope.dependents, func(d dependency) bool {
		return d.scope == c.scope && d.requiresRefresh
	})
}

func (e *engine) tokenDocument(t *token, refresh string) server.ResourceServerToken {
	return server.ResourceServerToken{
		AccessToken: t.value, Scope: names(t.scopes), ExpiresIn: unixtime.Seconds(t.ends.Sub(t.issued).Seconds()),
		TokenType: "Bearer", ResourceServer: t.server, RefreshToken: orAbsent(refresh),
	}
}
