package authtest

import (
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// dependentTokens exchanges a token that a resource server received for tokens
// of the services that its scopes depend on, as the person consented.
func (e *engine) dependentTokens(asking *client, used *credential, form *server.TokenRequest) ([]server.ResourceServerToken, error) {
	if form.Token == "" {
		return nil, oauthProblem("invalid_request", "token is required")
	}
	subject := e.liveToken(form.Token)
	if subject == nil || !slices.ContainsFunc(subject.scopes, func(s *scope) bool { return s.client == asking }) {
		return nil, invalidGrant()
	}
	nodes, missing := dependencies(subject)
	if form.Scope != "" {
		var err error
		if nodes, missing, err = e.restrict(nodes, form.Scope); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, consentRequired(missing)
	}
	for _, node := range nodes {
		node.LastUsed = e.now()
	}
	common := token{client: asking, credential: used, identity: subject.identity, session: subject.session, consents: nodes, login: subject.login}
	documents, _ := e.issueTokens(issue{token: common, offline: form.AccessType == server.AccessTypeOffline}, "")
	return documents, nil
}

// dependencies returns the consents right below those of a token, and the scopes
// that its scopes depend on without consent.
func dependencies(subject *token) (nodes []*consent, missing []string) {
	for _, given := range subject.consents {
		for _, node := range given.children {
			if !node.revoked {
				nodes = append(nodes, node)
			}
		}
	}
	for _, s := range subject.scopes {
		for _, needed := range s.dependents {
			given := slices.ContainsFunc(nodes, func(c *consent) bool { return c.scope == needed.scope })
			if !needed.optional && !given {
				missing = append(missing, needed.scope.text)
			}
		}
	}
	return nodes, missing
}

// restrict picks the consents that a request names.
func (e *engine) restrict(nodes []*consent, text string) (kept []*consent, missing []string, err error) {
	graph, err := scopes.Parse(text)
	if err != nil {
		return nil, nil, oauthProblem("invalid_scope", "The scope cannot be read: "+err.Error())
	}
	var unknown []string
	for _, root := range graph.Roots() {
		name := root.Name()
		at := slices.IndexFunc(nodes, func(c *consent) bool { return c.scope.text == name })
		switch {
		case at >= 0:
			kept = append(kept, nodes[at])
		case e.scopeNamed(name) == nil:
			unknown = append(unknown, name)
		default:
			missing = append(missing, name)
		}
	}
	if len(unknown) > 0 {
		return nil, nil, oauthProblem("invalid_scope", "requested unknown scopes: ["+strings.Join(unknown, ", ")+"]")
	}
	if len(kept)+len(missing) == 0 {
		return nil, nil, oauthProblem("invalid_scope", "scope names nothing")
	}
	return kept, missing, nil
}
