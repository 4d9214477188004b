package authtest

import (
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

// inWords describes what a request requires of the session.
func (e *engine) inWords(a *authorization) []string {
	var words []string
	r := a.required
	if r.login {
		words = append(words, "Sign in again, even if you are signed in.")
	}
	for _, i := range r.identities {
		words = append(words, "The identity "+i.Username+" must be signed in.")
	}
	if len(r.domains) > 0 {
		words = append(words, "An identity of "+strings.Join(r.domains, " or ")+" must be signed in.")
	}
	for _, p := range r.policies {
		words = append(words, p.inWords())
	}
	for _, p := range r.projects {
		words = append(words, "An administrator of the project “"+p.Name+"” must have signed in within the last "+pages.Duration(adminTimeout)+".")
	}
	if r.mfa {
		words = append(words, "A second factor is required.")
	}
	if at := e.providers.get(a.client.RequiredIDP); at != nil {
		words = append(words, "The application accepts only identities of "+at.Name+".")
	}
	for _, asked := range a.scopes {
		if domains := asked.scope.requiredDomains; len(domains) > 0 {
			words = append(words, "“"+asked.scope.name+"” requires an identity of "+strings.Join(domains, " or ")+".")
		}
	}
	return words
}

// inWords describes what a policy requires.
func (p *Policy) inWords() string {
	text := "The policy “" + p.Name + "” requires "
	switch {
	case p.HighAssurance:
		text += "a sign-in with the identity that the application will see"
	default:
		text += "a sign-in"
	}
	if len(p.Include) > 0 {
		text += ", of " + strings.Join(p.Include, " or ")
	}
	if len(p.Exclude) > 0 {
		text += ", without identities of " + strings.Join(p.Exclude, " or ") + " in the session"
	}
	if p.Timeout != nil {
		text += ", within the last " + pages.Duration(time.Duration(*p.Timeout)*time.Second)
	}
	if p.RequiredMFA {
		text += ", confirmed with a second factor"
	}
	return text + "."
}

// stepView is an identity that has to sign in.
type stepView struct {
	Identity     identityView
	SecondFactor bool
}

// stepsPage explains which further sign-ins a request needs.
func (e *engine) stepsPage(a *authorization, v *visit, person *identity, steps []step) server.Response {
	view := e.flowView(a, v, filled{})
	view.Person = e.identityView(person, nil)
	for _, s := range steps {
		view.Steps = append(view.Steps, stepView{Identity: e.identityView(s.identity, nil), SecondFactor: s.mfa})
	}
	return v.flowPage(a, "steps.html", "Sign in again", view)
}

// unmetPage explains why a user does not meet the requirements of a request, and what
// to do: use another identity, or one less.
func (e *engine) unmetPage(a *authorization, v *visit, detail string, excluded bool) server.Response {
	view := e.flowView(a, v, filled{})
	view.Detail, view.Excluded = detail, excluded
	title := "Another identity is needed"
	if excluded {
		title = "An identity is not allowed here"
	}
	return v.flowPage(a, "unmet.html", title, view)
}

// consentPage asks a user for consent.
func (e *engine) consentPage(a *authorization, v *visit, s *session, person *identity, entered filled) server.Response {
	view := e.flowView(a, v, entered)
	view.Person, view.Scopes = e.identityView(person, nil), scopeTree(a.scopes, "")
	view.Offline, view.Labelled, view.AllowedNow = a.offline, a.client.public(), e.agreed(a, person)
	view.Label = pages.Clip(a.params.PrefillNamedGrant, pages.LongestField)
	view.Person.Note = ""
	for _, i := range person.identitySet()[1:] {
		if _, there := s.authentications[i]; there {
			view.AlsoSigned = append(view.AlsoSigned, i.Username)
		}
	}
	view.Action = e.address(v, "", "")
	return v.flowPage(a, "consent.html", "Allow "+view.Client.Name+"?", view)
}
