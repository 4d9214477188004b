package authtest

import (
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/uuid"
	"github.com/globusauth/globusauth/scopes"
)

// scope is a scope of a resource server.
type scope struct {
	id, text          string // text is the scope string
	server            string // the resource server of its tokens
	client            *client
	name, description string
	dependents        []dependency
	advertised        bool
	allowsRefresh     bool
	requiredDomains   []string
}

// dependency is a scope that another one depends on.
type dependency struct {
	scope           *scope
	optional        bool
	requiresRefresh bool
}

const (
	scopeURL      = "https://auth.globus.org/scopes/"
	offlineAccess = "offline_access"
)

// requested is one scope of a request, with the dependencies that go with it:
// those that were requested and those that the scope always has.
type requested struct {
	scope    *scope
	optional bool
	refresh  bool // the resource server needs a refresh token for it
	needs    []requested
}

// parseScopes reads the text of a request. Scopes that do not exist are returned
// in unknown; offline reports whether offline_access was among them. The error
// is a mistake in the grammar.
func (e *engine) parseScopes(text string) (roots []requested, unknown []string, offline bool, err error) {
	if known := e.byScope[text]; known != nil { // the usual request, in as few steps as possible
		root := requested{scope: known}
		e.addRegistered(&root, []*scope{known})
		return []requested{root}, nil, false, nil
	}
	graph, err := scopes.Parse(text)
	if err != nil {
		return nil, nil, false, err
	}
	for _, node := range graph.Roots() {
		if node.Name() == offlineAccess {
			offline = true
			continue
		}
		root, ok := e.resolve(node, &unknown, nil)
		if ok {
			roots = append(roots, root)
		}
	}
	return roots, unknown, offline, nil
}

// anyUUID stands in a scope string for the UUID of its resource server, whatever
// it is, and anyUUIDName for the same with _ in place of -.
const (
	anyUUID     = "{uuid}"
	anyUUIDName = "{uuid_}"
)

// withUUID returns a scope string of a pattern.
func withUUID(pattern, id string) string {
	return strings.NewReplacer(anyUUID, id, anyUUIDName, strings.ReplaceAll(id, "-", "_")).Replace(pattern)
}

// uuidOf returns the UUID with which a pattern makes a scope string.
func uuidOf(pattern, text string) (string, bool) {
	prefix, _, _ := strings.Cut(pattern, anyUUID)
	const length = 36
	if len(text) < len(prefix)+length {
		return "", false
	}
	id := text[len(prefix):][:length]
	return id, uuid.Valid(id) && id == strings.ToLower(id) && withUUID(pattern, id) == text
}

// scopeNamed returns the scope of a scope string, or nil. Where a pattern fits,
// the resource server is registered, with a scope for each pattern of the client
// that has this one.
func (e *engine) scopeNamed(text string) *scope {
	if found := e.byScope[text]; found != nil {
		return found
	}
	for _, pattern := range e.patterns {
		id, fits := uuidOf(pattern.text, text)
		if !fits || e.clients.get(id) != nil || e.identities[id] != nil {
			continue
		}
		made := *pattern.client
		made.ID, made.Name, made.scopes, made.identity, made.credentials = id, made.Name+" "+id, nil, nil, nil
		e.keepClient(&made)
		for _, each := range pattern.client.scopes {
			owned := *each
			owned.id, owned.text, owned.client, owned.server = e.random.uuid(), withUUID(each.text, id), &made, id
			e.keepScope(&owned)
		}
		return e.byScope[text]
	}
	return nil
}

// maxScopeDepth bounds the walk through registered dependencies.
const maxScopeDepth = 16

// resolve finds the scope of a node and everything below it.
func (e *engine) resolve(node scopes.Node, unknown *[]string, path []*scope) (requested, bool) {
	found := e.scopeNamed(node.Name())
	if found == nil {
		*unknown = append(*unknown, node.Name())
		return requested{}, false
	}
	result := requested{scope: found, optional: node.Optional()}
	path = append(path, found)
	for _, child := range node.Dependencies() {
		if below, ok := e.resolve(child, unknown, path); ok {
			result.needs = append(result.needs, below)
		}
	}
	e.addRegistered(&result, path)
	return result, true
}

// addRegistered adds the dependencies that a scope always has. The optional ones
// come only when they are requested.
func (e *engine) addRegistered(r *requested, path []*scope) {
	if len(path) > maxScopeDepth {
		return
	}
	for _, registered := range r.scope.dependents {
		if slices.Contains(path, registered.scope) {
			continue
		}
		asked := false
		for i := range r.needs {
			if r.needs[i].scope == registered.scope {
				r.needs[i].refresh = registered.requiresRefresh
				asked = true
			}
		}
		if asked || registered.optional {
			continue
		}
		below := requested{scope: registered.scope, refresh: registered.requiresRefresh}
		e.addRegistered(&below, append(path, registered.scope))
		r.needs = append(r.needs, below)
	}
}

// serverOf returns the resource server of a scope string.
func serverOf(text string, owner *client) string {
	if owner.ResourceServer != "" {
		return owner.ResourceServer
	}
	if server, ok := scopes.Scope(text).ResourceServer(); ok {
		return server
	}
	return owner.ID
}

// names returns scope strings joined with spaces.
func names(list []*scope) string {
	if len(list) == 1 {
		return list[0].text
	}
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = s.text
	}
	return strings.Join(texts, " ")
}
