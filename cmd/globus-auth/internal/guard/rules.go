package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

// compile returns the rules for package resourceserver, which checks them further.
func (r *Rules) compile() ([]resourceserver.Rule, error) {
	for _, list := range []scopes.List{r.AllScopes, r.AnyScope} {
		if list == nil {
			continue
		}
		if err := list.Validate(); err != nil {
			return nil, err
		}
	}
	var rules, session []resourceserver.Rule
	if r.Policies != nil {
		session = append(session, resourceserver.Policies(r.Policies...))
	}
	if r.Fresh != 0 {
		session = append(session, resourceserver.Fresh(time.Duration(r.Fresh)))
	}
	if r.MFA {
		session = append(session, resourceserver.MFA())
	}
	if r.Domains != nil {
		session = append(session, resourceserver.SessionDomains(r.Domains...))
	}
	if r.Providers != nil {
		session = append(session, resourceserver.SessionProviders(r.Providers...))
	}
	if r.Identities != nil {
		session = append(session, resourceserver.SessionIdentities(r.Identities...))
	}
	switch {
	case r.Services == nil:
	case session == nil:
		return nil, errors.New("services has no effect without policies, fresh, mfa, domains, providers or identities beside it")
	default:
		session = []resourceserver.Rule{resourceserver.Services(r.Services, session...)}
	}
	if r.AllScopes != nil {
		rules = append(rules, resourceserver.AllScopes(r.AllScopes...))
	}
	if r.AnyScope != nil {
		rules = append(rules, resourceserver.AnyScope(r.AnyScope...))
	}
	if r.Clients != nil {
		rules = append(rules, resourceserver.Clients(r.Clients...))
	}
	rules = append(rules, session...)
	if r.Groups != nil {
		rules = append(rules, resourceserver.AnyGroup(r.Groups...))
	}
	if r.Principals != nil {
		rules = append(rules, resourceserver.AnyPrincipal(r.Principals...))
	}
	return rules, nil
}

// routeError names a route in an error.
func routeError(route Route, err error) error {
	return fmt.Errorf("routes: pattern %q: %w", route.Pattern, err)
}
