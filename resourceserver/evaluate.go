package resourceserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/apierror"
)

// needs is what an introspection must contain for rules. It is never changed.
type needs struct {
	session, details bool
	policies         []string // sorted, without duplicates
	number           uint32   // of changes so far; part of the key of the cache
}

// maxPolicies limits the policies of one introspection.
const maxPolicies = 100

// ruleSet is rules that [API.admit] has checked.
type ruleSet []Rule

// admit checks rules, and makes introspections contain what they need from now on. It allocates only if that is new.
func (a *API) admit(rules []Rule) error {
	for i := range rules {
		rule := &rules[i]
		switch {
		case rule.err != nil:
			return fmt.Errorf("rule %s: %w", rule.name, rule.err)
		case rule.met == nil && rule.session == nil && rule.nested == nil:
			return fmt.Errorf("rule %d is the zero Rule", i)
		}
		if err := a.admit(rule.nested); err != nil {
			return err
		}
		if err := a.need(&rule.needs); err != nil {
			return err
		}
	}
	return nil
}

// need adds to what introspections contain.
func (a *API) need(more *needs) error {
	if a.needs.Load().cover(more) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.needs.Load()
	if old.cover(more) {
		return nil
	}
	next := needs{session: old.session || more.session, details: old.details || more.details, number: old.number + 1}
	next.policies = slices.Compact(slices.Sorted(slices.Values(slices.Concat(old.policies, more.policies))))
	if len(next.policies) > maxPolicies {
		return fmt.Errorf("the rules name more than %d policies", maxPolicies)
	}
	a.needs.Store(&next)
	return nil
}

// cover reports whether an introspection with these needs contains what others ask for.
func (n *needs) cover(other *needs) bool {
	if other.session && !n.session || other.details && !n.details {
		return false
	}
	for _, id := range other.policies {
		if _, found := slices.BinarySearch(n.policies, id); !found {
			return false
		}
	}
	return true
}

// require returns a *DeniedError unless the caller meets all rules of the sets.
func require(ctx context.Context, caller *CallerInfo, sets ...ruleSet) error {
	var unmet []*Rule
	for _, set := range sets {
		if err := set.apply(ctx, caller, false, &unmet); err != nil {
			return err
		}
	}
	unmet = append(unmet, sessionRules(caller, sets)...)
	for _, set := range sets {
		err := set.apply(ctx, caller, true, &unmet)
		denial, ok := errors.AsType[*DeniedError](err)
		switch {
		case err == nil:
		case len(unmet) == 0 || !ok || denial.Status == http.StatusForbidden && denial.Requirement == nil:
			return err
		case denial.Requirement != nil: // One login gives the consent too.
			unmet = append(unmet, &Rule{name: denial.Rule, demand: func(_ *CallerInfo, parameters *apierror.AuthorizationParameters) {
				parameters.RequiredScopes = append(parameters.RequiredScopes, denial.Requirement.Parameters.RequiredScopes...)
			}})
		}
	}
	if len(unmet) > 0 {
		return demand(caller, unmet)
	}
	return nil
}

// requireAnonymous is require for a caller without a token.
func requireAnonymous(rules []Rule) error {
	if slices.ContainsFunc(rules, func(r Rule) bool { return !r.public }) {
		return &DeniedError{Status: http.StatusUnauthorized, Message: "a token is required"}
	}
	return nil
}

// apply adds the rules that are not met and that a login may change to unmet. Any other that is not met is an error.
func (set ruleSet) apply(ctx context.Context, caller *CallerInfo, remote bool, unmet *[]*Rule) error {
	for i := range set {
		rule := &set[i]
		switch {
		case rule.nested != nil:
			if !rule.exempts(caller) {
				if err := rule.nested.apply(ctx, caller, remote, unmet); err != nil {
					return err
				}
			}
		case rule.remote != remote || rule.session != nil:
		default:
			met, err := rule.met(ctx, caller)
			switch {
			case err != nil:
				return named(rule.name, err)
			case met:
			case rule.demand == nil:
				return &DeniedError{Status: http.StatusForbidden, Code: "Forbidden", Message: "access denied", Rule: rule.name}
			default:
				*unmet = append(*unmet, rule)
			}
		}
	}
	return nil
}

func (r *Rule) exempts(caller *CallerInfo) bool {
	return caller.Service && contains(r.services, caller.Subject)
}

// sessionRules looks for one authentication that meets all rules about the session, and returns the rules if there is none.
func sessionRules(caller *CallerInfo, sets []ruleSet) (unmet []*Rule) {
	count := 0
	for _, set := range sets {
		count += set.session(caller, nil)
	}
	if count == 0 {
		return nil
	}
	for i := range caller.Authentications {
		met := 0
		for _, set := range sets {
			met += set.session(caller, &caller.Authentications[i])
		}
		if met == count {
			caller.SessionIdentity = caller.Authentications[i].IdentityID
			return nil
		}
	}
	for _, set := range sets {
		unmet = set.appendSession(caller, unmet)
	}
	return unmet
}

// session counts the rules about the session that an authentication meets, or without one all of them.
func (set ruleSet) session(caller *CallerInfo, authentication *Authentication) (count int) {
	for i := range set {
		switch rule := &set[i]; {
		case rule.nested != nil && !rule.exempts(caller):
			count += rule.nested.session(caller, authentication)
		case rule.session != nil && (authentication == nil || rule.session(caller, authentication)):
			count++
		}
	}
	return count
}

func (set ruleSet) appendSession(caller *CallerInfo, list []*Rule) []*Rule {
	for i := range set {
		switch rule := &set[i]; {
		case rule.nested != nil && !rule.exempts(caller):
			list = rule.nested.appendSession(caller, list)
		case rule.session != nil:
			list = append(list, rule)
		}
	}
	return list
}

// demand asks for one login that meets all rules that are not met.
func demand(caller *CallerInfo, unmet []*Rule) *DeniedError {
	var names []string
	var parameters apierror.AuthorizationParameters
	for _, rule := range unmet {
		names = append(names, rule.name)
		rule.demand(caller, &parameters)
	}
	denial := &DeniedError{Status: http.StatusForbidden, Rule: strings.Join(names, ","), Message: "a new login is required"}
	code := "AuthorizationRequired"
	if len(parameters.RequiredScopes) > 0 {
		denial.scope = strings.Join(parameters.RequiredScopes, " ")
		denial.Message, code = "more scopes are required", "ConsentRequired"
	}
	if parameters.Prompt != "" && parameters.SessionRequiredIdentities == nil && parameters.SessionRequiredSingleDomain == nil {
		// A prompt alone is no session requirement to older clients.
		parameters.SessionRequiredIdentities = []string{caller.Subject}
	}
	parameters.SessionMessage = denial.Message
	denial.Requirement = &apierror.Requirement{Code: code, Parameters: parameters}
	return denial
}

func named(rule string, err error) error {
	if denial, ok := errors.AsType[*DeniedError](err); ok && denial.Rule == "" {
		named := *denial
		named.Rule = rule
		return &named
	}
	return err
}
