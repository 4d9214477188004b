package authtest

import (
	"net/http"
	"slices"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

// signInPage leads a user through an authorization request page by page. The session
// and the request decide each page anew. Forms are sent to the same address.
func (e *engine) signInPage(c *call, a *authorization) server.Response {
	v := e.visitOf(c.request)
	if c.request.Method == http.MethodPost {
		if !e.forms.Allowed(c.request) {
			return pages.Refused().Write
		}
		return e.signInAction(c, a, v)
	}
	return e.nextPage(c, a, v)
}

// nextPage shows the next page, or sends the client a code when no page is needed.
func (e *engine) nextPage(c *call, a *authorization, v *visit) server.Response {
	s, person := e.signedIn(c)
	silent := a.params.Prompt == "none"
	if !silent {
		switch {
		case v.pending != nil:
			return e.secondFactorPage(a, v)
		case v.page == "accounts":
			return e.loginPage(a, v, s, filled{})
		case v.page == "create":
			return e.createPage(a, v, person, false, filled{})
		case v.page == "link" && person != nil:
			return e.linkPage(a, v, person, filled{})
		case v.page == "create-link" && person != nil:
			return e.createPage(a, v, person, true, filled{})
		}
	}
	shown, effective, refused := e.gate(a, v, s, person)
	switch {
	case refused != "" && silent:
		return e.refuse(a, &redirectProblem{refused, "A page is required, and prompt=none forbids pages"})
	case refused != "":
		return shown()
	case e.agreed(a, effective) && (silent || !a.client.public()):
		return e.grantCode(c, a, s, effective)
	case silent:
		return e.refuse(a, &redirectProblem{"consent_required", "A page is required, and prompt=none forbids pages"})
	}
	return e.consentPage(a, v, s, effective, filled{})
}

// signedIn returns the session of a browser and the identity that signed in last, or nil.
func (e *engine) signedIn(c *call) (*session, *identity) {
	s := e.sessionOf(c)
	if s == nil || s.primary == nil || s.primary.account != s.account {
		return nil, nil
	}
	return s, s.primary
}

// gate checks that a session meets the requirements of a request. If it does, the
// result is the identity that the client will see; otherwise the error for a request
// that forbids pages, and the page.
func (e *engine) gate(a *authorization, v *visit, s *session, person *identity) (show func() server.Response, effective *identity, refused string) {
	if person == nil || a.required.login && len(v.fresh) == 0 && len(a.required.identities) == 0 {
		return func() server.Response { return e.loginPage(a, v, s, filled{}) }, nil, "login_required"
	}
	unmet := func(detail string) (func() server.Response, *identity, string) {
		return func() server.Response { return e.unmetPage(a, v, detail, false) }, nil, "interaction_required"
	}
	effective, err := e.effectiveIdentity(a, person)
	if err != nil {
		return unmet(err.Error())
	}
	if i := a.required.excluded(s); i != nil {
		detail := "A policy does not allow " + i.Username + " in the session. Sign out, and sign in without it."
		return func() server.Response { return e.unmetPage(a, v, detail, true) }, nil, "interaction_required"
	}
	required, counted := a.required, s
	if required.login { // only what was done for this request counts
		required.login = false
		counted = s.only(v.fresh)
	}
	steps, err := e.missing(required, counted, effective)
	if err != nil {
		return unmet(err.Error())
	}
	_, there := s.authentications[effective]
	if !there && !slices.ContainsFunc(steps, func(s step) bool { return s.identity == effective }) {
		steps = append(steps, step{identity: effective, mfa: a.required.mfa})
	}
	if len(steps) > 0 {
		return func() server.Response { return e.stepsPage(a, v, person, steps) }, nil, "login_required"
	}
	return nil, effective, ""
}

// only returns a session in which only these identities have signed in.
func (s *session) only(fresh []*identity) *session {
	reduced := *s
	reduced.authentications = map[*identity]authentication{}
	for _, i := range fresh {
		if last, there := s.authentications[i]; there {
			reduced.authentications[i] = last
		}
	}
	return &reduced
}

// agreed reports whether the person has consented to all of a request before.
func (e *engine) agreed(a *authorization, person *identity) bool {
	for _, r := range a.scopes {
		if !e.approved(person, a.client, r, a.offline, nil) {
			return false
		}
	}
	return true
}
