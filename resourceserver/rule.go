package resourceserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen/groups"
	"github.com/globusauth/globusauth/scopes"
)

// Rule is one condition that a caller must meet. The functions of this package that
// return a Rule make one. It is immutable.
type Rule struct {
	name  string // for logs and counters
	needs needs  // what the introspection must contain
	err   error  // why the rule is invalid

	// One of met and session is set, or nested for Services. met reports whether the caller
	// meets the rule. The caller is nil for an anonymous request.
	met     func(ctx context.Context, caller *CallerInfo) (bool, error)
	session func(caller *CallerInfo, authentication *Authentication) bool
	remote  bool // met sends a request
	public  bool // anonymous requests may meet it

	// demand adds what a login must do to meet the rule. Nil means that no login can.
	demand func(caller *CallerInfo, parameters *apierror.AuthorizationParameters)

	services []string // that need not meet nested
	nested   ruleSet  // not nil for Services
}

// AllScopes requires a token that has all of the scopes, at least one. Only their names
// count: a token does not list dependencies. A caller without one of them is asked to consent to it.
func AllScopes(all ...scopes.Scope) Rule {
	return Rule{
		name: "AllScopes", err: notEmpty(all),
		met: func(_ context.Context, caller *CallerInfo) (bool, error) { return len(missing(caller, all)) == 0, nil },
		demand: func(caller *CallerInfo, parameters *apierror.AuthorizationParameters) {
			parameters.RequiredScopes = append(parameters.RequiredScopes, missing(caller, all)...)
		},
	}
}

// AnyScope requires a token that has at least one of the scopes. A caller without any is
// asked to consent to the first.
func AnyScope(choices ...scopes.Scope) Rule {
	return Rule{
		name: "AnyScope", err: notEmpty(choices),
		met: func(_ context.Context, caller *CallerInfo) (bool, error) {
			return len(missing(caller, choices)) < len(choices), nil
		},
		demand: func(_ *CallerInfo, parameters *apierror.AuthorizationParameters) {
			parameters.RequiredScopes = append(parameters.RequiredScopes, string(choices[0]))
		},
	}
}

func missing(caller *CallerInfo, wanted []scopes.Scope) (names []string) {
	for _, scope := range wanted {
		if !caller.HasScope(scope) {
			names = append(names, string(scope))
		}
	}
	return names
}

// Policies requires that the session satisfies all authentication policies with these
// IDs. A policy that the service did not evaluate counts as not satisfied.
func Policies(ids ...string) Rule {
	err := notEmpty(ids)
	if slices.ContainsFunc(ids, func(id string) bool { return id == "" || strings.ContainsAny(id, ", ") }) {
		err = errors.New("a policy ID is empty or contains a comma or a space")
	}
	unmet := func(caller *CallerInfo) (unmet []string) {
		for _, id := range ids {
			if !caller.PolicySatisfied(id) {
				unmet = append(unmet, id)
			}
		}
		return unmet
	}
	return Rule{
		name: "Policies", err: err, needs: needs{policies: ids},
		met: func(_ context.Context, caller *CallerInfo) (bool, error) { return len(unmet(caller)) == 0, nil },
		demand: func(caller *CallerInfo, parameters *apierror.AuthorizationParameters) {
			parameters.SessionRequiredPolicies = append(parameters.SessionRequiredPolicies, unmet(caller)...)
		},
	}
}

// Fresh requires an authentication in the session that is at most this old.
func Fresh(age time.Duration) Rule {
	var err error
	if age <= 0 {
		err = fmt.Errorf("the age %s is not positive", age)
	}
	return Rule{
		name: "Fresh", err: err, needs: needs{session: true},
		session: func(caller *CallerInfo, a *Authentication) bool { return caller.api.now().Sub(a.Time) <= age },
		demand:  func(_ *CallerInfo, parameters *apierror.AuthorizationParameters) { parameters.Prompt = "login" },
	}
}

// MFA requires multi-factor authentication.
func MFA() Rule {
	return Rule{
		name: "MFA", needs: needs{session: true},
		session: func(_ *CallerInfo, a *Authentication) bool { return slices.Contains(a.Methods, "mfa") },
		demand: func(_ *CallerInfo, parameters *apierror.AuthorizationParameters) {
			required := true
			parameters.SessionRequiredMFA = &required
		},
	}
}

// SessionDomains requires an authentication with an identity whose username is in one of
// these domains, such as "example.edu".
func SessionDomains(domains ...string) Rule {
	return Rule{
		name: "SessionDomains", err: notEmpty(domains), needs: needs{session: true, details: true},
		session: func(caller *CallerInfo, a *Authentication) bool {
			_, domain, found := strings.Cut(caller.username(a.IdentityID), "@")
			return found && contains(domains, domain)
		},
		demand: func(_ *CallerInfo, parameters *apierror.AuthorizationParameters) {
			parameters.SessionRequiredSingleDomain = append(parameters.SessionRequiredSingleDomain, domains...)
		},
	}
}

// SessionProviders requires an authentication by one of the identity providers with
// these IDs. GARE has no parameter for a provider; the caller is asked for a login with one of its linked
// identities of these providers, if it has one.
func SessionProviders(ids ...string) Rule {
	return Rule{
		name: "SessionProviders", err: notEmpty(ids), needs: needs{session: true, details: true},
		session: func(_ *CallerInfo, a *Authentication) bool { return contains(ids, a.Provider) },
		demand: func(caller *CallerInfo, parameters *apierror.AuthorizationParameters) {
			for _, linked := range caller.Linked {
				if contains(ids, linked.IdentityProvider) {
					parameters.SessionRequiredIdentities = []string{linked.Sub}
					return
				}
			}
			parameters.Prompt = "login"
		},
	}
}

// SessionIdentities requires an authentication with one of the identities with these IDs.
func SessionIdentities(ids ...string) Rule {
	return Rule{
		name: "SessionIdentities", err: notEmpty(ids), needs: needs{session: true},
		session: func(_ *CallerInfo, a *Authentication) bool { return contains(ids, a.IdentityID) },
		demand: func(caller *CallerInfo, parameters *apierror.AuthorizationParameters) {
			// All identities of the parameter must be in the session: ask for the caller's own one.
			for _, id := range ids {
				if contains(caller.Identities, id) {
					parameters.SessionRequiredIdentities = []string{id}
					return
				}
			}
			parameters.SessionRequiredIdentities = []string{ids[0]}
		},
	}
}

// Clients requires a token that was issued to one of the clients with these IDs.
func Clients(ids ...string) Rule {
	return Rule{
		name: "Clients", err: notEmpty(ids),
		met: func(_ context.Context, caller *CallerInfo) (bool, error) { return contains(ids, caller.ClientID), nil },
	}
}

// AnyGroup requires that the caller, or one of its linked identities, is an active member
// of one of the groups with these IDs. Membership is cached for 5 minutes.
func AnyGroup(ids ...string) Rule {
	principals := make([]string, len(ids))
	for i, id := range ids {
		principals[i] = groupURN + id
	}
	rule := AnyPrincipal(principals...)
	rule.name, rule.err = "AnyGroup", notEmpty(ids)
	return rule
}

const (
	identityURN = "urn:globus:auth:identity:"
	groupURN    = "urn:globus:groups:id:"
	anyUser     = "all_authenticated_users"
	anyone      = "public"
)

// AnyPrincipal requires that one of the principals, in the form in which Globus services
// store them, is the caller: "urn:globus:auth:identity:ID" of one of its linked
// identities, "urn:globus:groups:id:ID" of one of its groups,
// "all_authenticated_users" (any valid token), or "public" (no token either). Other
// text matches no caller. An empty list denies every caller.
func AnyPrincipal(principals ...string) Rule {
	return Rule{
		name:   "AnyPrincipal",
		remote: slices.ContainsFunc(principals, func(p string) bool { return strings.HasPrefix(p, groupURN) }),
		public: slices.Contains(principals, anyone),
		met: func(ctx context.Context, caller *CallerInfo) (bool, error) {
			var wanted []string
			for _, principal := range principals {
				id, isIdentity := strings.CutPrefix(principal, identityURN)
				if principal == anyUser || principal == anyone || isIdentity && contains(caller.Identities, id) {
					return true, nil
				}
				if id, isGroup := strings.CutPrefix(principal, groupURN); isGroup {
					wanted = append(wanted, id)
				}
			}
			if len(wanted) == 0 {
				return false, nil
			}
			member, err := caller.Groups(ctx)
			return slices.ContainsFunc(member, func(g groups.Group) bool { return contains(wanted, g.ID) }), err
		},
	}
}

// Services exempts the service accounts with these client IDs from the rules, which
// all other callers must meet. It is for rules about sessions and policies, which
// no service account can meet. Only a token that the client obtained for itself (client
// credentials) counts.
func Services(clientIDs []string, rules ...Rule) Rule {
	return Rule{name: "Services", services: slices.Clone(clientIDs), nested: append(ruleSet{}, rules...)}
}

// Check requires that met returns nil. An error that is a [*DeniedError] is the response; any
// other denies the request with status 403, and is logged but not sent. The name is used in logs.
func Check(name string, met func(ctx context.Context, caller *CallerInfo) error) Rule {
	var invalid error
	if met == nil {
		invalid = errors.New("the function is nil")
	}
	return Rule{name: name, err: invalid, met: func(ctx context.Context, caller *CallerInfo) (bool, error) {
		err := met(ctx, caller)
		if err == nil {
			return true, nil
		}
		if _, ok := errors.AsType[*DeniedError](err); ok {
			return false, err
		}
		return false, &DeniedError{Status: http.StatusForbidden, Code: "Forbidden", Message: "access denied", cause: err}
	}}
}

// contains compares IDs and domains, whose letter case does not count (RFC 9562 section 4, RFC 4343).
func contains(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) })
}

func notEmpty[E any](list []E) error {
	if len(list) == 0 {
		return errors.New("the list is empty")
	}
	return nil
}
