package resourceserver

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

// Identity is who a token belongs to, as an introspection says. It is shared by all
// requests with the token: do not change it.
type Identity struct {
	Subject  string // the ID of the effective identity
	Username string
	Name     string
	Email    string
	ClientID string // the client that the token was issued to
	Scope    string // the scopes of the token, separated by spaces
	Expiry   time.Time
	// Service reports whether the caller is a client with a token for itself (client credentials).
	Service bool
	// Identities are the IDs of all linked identities, Subject included.
	Identities []string
	// Linked are the linked identities, Authentications those of the session, each with the latest
	// time. Both are empty unless Config.Details is set or a rule needs them.
	Linked          []gen.LinkedIdentity
	Authentications []Authentication

	policies map[string]bool // satisfied, by ID in lower case
	needs    uint32          // the number of the needs that it fulfills
}

// Authentication is how and when an identity in the session was authenticated.
type Authentication struct {
	IdentityID string
	Provider   string // the ID of the identity provider
	Time       time.Time
	Methods    []string // RFC 8176; "mfa" is multi-factor authentication
	Context    string   // acr
}

// CallerInfo is the caller of one request. Its methods are safe for concurrent use.
// A nil CallerInfo is an anonymous caller: only [CallerInfo.Require] may be called.
type CallerInfo struct {
	*Identity

	// SessionIdentity is the ID of the linked identity whose authentication met the rules about the
	// session. Empty without such rules.
	SessionIdentity string

	api   *API
	token string
	key   tokenKey
}

type contextKey struct{}

// callerContext is a context with its caller, in one allocation.
type callerContext struct {
	context.Context //nolint:containedctx // It is a context.

	caller CallerInfo
}

func (c *callerContext) Value(key any) any {
	if key == (contextKey{}) {
		return &c.caller
	}
	return c.Context.Value(key)
}

// Caller returns the caller of the request with this context, or nil for an anonymous
// one. In a handler behind [API.Protect] it is never nil.
func Caller(ctx context.Context) *CallerInfo {
	caller, _ := ctx.Value(contextKey{}).(*CallerInfo)
	return caller
}

// NewContext returns a context with a caller for [Caller], for programs that do not use Protect.
func NewContext(ctx context.Context, caller *CallerInfo) context.Context {
	return &callerContext{Context: ctx, caller: *caller}
}

// HasScope reports whether the token has the scope. Only its name counts: a token does
// not list dependencies.
func (i *Identity) HasScope(scope scopes.Scope) bool {
	name := scope.Name()
	for rest := i.Scope; rest != ""; {
		var next string
		next, rest, _ = strings.Cut(rest, " ")
		if next == name {
			return true
		}
	}
	return false
}

// Is reports whether the identity with this ID is one of the caller's linked identities.
func (i *Identity) Is(identityID string) bool { return contains(i.Identities, identityID) }

// PolicySatisfied reports whether the service evaluated the policy, and the session satisfies it.
func (i *Identity) PolicySatisfied(id string) bool { return i.policies[strings.ToLower(id)] }

func (i *Identity) username(id string) string {
	if strings.EqualFold(id, i.Subject) {
		return i.Username
	}
	for _, linked := range i.Linked {
		if strings.EqualFold(linked.Sub, id) {
			return linked.Username
		}
	}
	return ""
}

// Format prints the caller without its token, whatever the verb.
func (c CallerInfo) Format(state fmt.State, _ rune) {
	text := "resourceserver.CallerInfo{anonymous}"
	if c.Identity != nil {
		text = fmt.Sprintf("resourceserver.CallerInfo{%q, %q, client %q, scope %q}", c.Subject, c.Username, c.ClientID, c.Scope)
	}
	_, _ = io.WriteString(state, text)
}

// Require applies further rules within a request, such as [AnyPrincipal] with the
// owners of the object asked for. The error is a [*DeniedError] for [API.Deny]. Rules that need
// more of an introspection than all rules before send one; avoid that by naming
// policies in the Config.
func (c *CallerInfo) Require(ctx context.Context, rules ...Rule) error {
	if c == nil {
		return requireAnonymous(rules)
	}
	if err := c.api.admit(rules); err != nil {
		return prefixed("require", err)
	}
	own := *c // Other goroutines may read the caller.
	if c.api.needs.Load().number != c.needs {
		var err error
		if own.Identity, err = c.api.identify(ctx, c.token, c.key); err != nil {
			return prefixed("require", err)
		}
	}
	return require(ctx, &own, rules)
}

// Principals returns the caller's principals, in the form in which Globus services store them:
// identities, groups and "all_authenticated_users", then "public".
func (c *CallerInfo) Principals(ctx context.Context) ([]string, error) {
	groups, err := c.Groups(ctx)
	if err != nil {
		return nil, err
	}
	var principals []string
	for _, id := range c.Identities {
		principals = append(principals, identityURN+id)
	}
	for _, group := range groups {
		principals = append(principals, groupURN+group.ID)
	}
	return append(principals, anyUser, anyone), nil
}
