package authtest

import (
	"slices"
	"strings"
)

// requirement is what a login must satisfy beyond identifying the user.
type requirement struct {
	identities []*identity // each must be in session
	domains    []string    // an identity of any one of them must be in session
	policies   []*Policy
	projects   []*Project // an administrator of each must be in session, recently
	mfa        bool
	login      bool // the named identities, or the one that is signed in, authenticate again
	message    string
}

// requirementOf reads the session parameters of an authorization request.
func (e *engine) requirementOf(a *authorization) (requirement, error) {
	params := a.params
	r := requirement{mfa: params.SessionRequiredMFA, login: params.Prompt == "login", message: params.SessionMessage}
	for _, text := range trimmed(params.SessionRequiredIdentities) {
		i := e.findIdentity(text)
		if i == nil || i.client != nil {
			return r, missingIdentity("No identity is known as '" + text + "'.")
		}
		r.identities = append(r.identities, i)
	}
	r.domains = trimmed(params.SessionRequiredSingleDomain)
	for _, id := range trimmed(params.SessionRequiredPolicies) {
		if p := e.policies.get(id); p != nil {
			r.policies = append(r.policies, p)
			continue
		}
		if p := e.projectByAdminPolicy(strings.ToLower(id)); p != nil {
			r.projects = append(r.projects, p)
			continue
		}
		return r, pageError("OAUTH_AUTH_REQUEST_FAILURE", "No policy has the ID '"+id+"'.")
	}
	return r, nil
}

func trimmed(list []string) []string {
	var kept []string
	for _, text := range list {
		if text = strings.TrimSpace(text); text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

func missingIdentity(detail string) error { return pageError("REQUIRED_IDENTITY_MISSING", detail) }

// step is an identity that has to authenticate, perhaps with a second factor.
type step struct {
	identity *identity
	mfa      bool
}

// missing returns the identities that must authenticate so that the session of a user
// meets the requirement. The error is shown on a page: the user cannot meet it.
func (e *engine) missing(r requirement, s *session, person *identity) ([]step, error) {
	var steps []step
	need := func(i *identity, mfa bool) {
		for n := range steps {
			if steps[n].identity == i {
				steps[n].mfa = steps[n].mfa || mfa
				return
			}
		}
		steps = append(steps, step{identity: i, mfa: mfa})
	}
	inSession := func(i *identity) bool {
		last, found := s.authentications[i]
		return found && !r.login && (last.mfa || !r.mfa)
	}
	for _, i := range r.identities {
		if !i.linkedWith(person) {
			return nil, missingIdentity("The identity " + i.Username + " is required, and it is not linked to " + person.Username + ".")
		}
		if !inSession(i) {
			need(i, r.mfa)
		}
	}
	if len(r.domains) > 0 {
		candidates := filter(person.identitySet(), func(i *identity) bool { return matchesAny(r.domains, i.domain()) })
		if len(candidates) == 0 {
			return nil, missingIdentity("An identity of " + strings.Join(r.domains, " or ") + " is required, and " + person.Username + " has none.")
		}
		if !slices.ContainsFunc(candidates, inSession) {
			need(candidates[0], r.mfa)
		}
	}
	for _, p := range r.policies {
		if e.satisfied(p, s, person) && !r.login {
			continue
		}
		candidates := filter(person.identitySet(), func(i *identity) bool {
			return p.admits(i) && (!p.HighAssurance || i == person)
		})
		if len(candidates) == 0 {
			return nil, missingIdentity("The policy '" + p.Name + "' admits no identity of " + person.Username + ".")
		}
		need(candidates[0], p.RequiredMFA || r.mfa)
	}
	for _, p := range r.projects {
		if e.adminInSession(p, s) && !r.login {
			continue
		}
		candidates := filter(person.identitySet(), func(i *identity) bool { return e.isAdmin(p, i) })
		if len(candidates) == 0 {
			return nil, missingIdentity("No identity of " + person.Username + " administers the project '" + p.Name + "'.")
		}
		need(candidates[0], r.mfa)
	}
	if len(steps) == 0 && (r.login || r.mfa && !s.authentications[person].mfa || !inSession(person) && len(s.authentications) == 0) {
		need(person, r.mfa)
	}
	return steps, nil
}

// excluded returns an identity in session that a policy forbids. It goes away
// only with a new session.
func (r requirement) excluded(s *session) *identity {
	for _, p := range r.policies {
		for i := range s.authentications {
			if matchesAny(p.Exclude, i.domain()) {
				return i
			}
		}
	}
	return nil
}

// prefer returns the identity of a person that no policy excludes and all policies of
// high assurance admit, since it has to be that of the token; the one given if there is
// none better.
func (r requirement) prefer(person *identity) *identity {
	for _, i := range person.identitySet() {
		if !slices.ContainsFunc(r.policies, func(p *Policy) bool {
			return p.HighAssurance && !p.admits(i) || matchesAny(p.Exclude, i.domain())
		}) {
			return i
		}
	}
	return person
}

func filter(list []*identity, keep func(*identity) bool) []*identity {
	var kept []*identity
	for _, i := range list {
		if keep(i) {
			kept = append(kept, i)
		}
	}
	return kept
}
