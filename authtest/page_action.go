package authtest

import (
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

// filled is what a user has typed, and what is wrong with it.
type filled struct {
	Problem                         string
	Username, Name, Email, Provider string
}

// signInAction handles a form of the pages.
func (e *engine) signInAction(c *call, a *authorization, v *visit) server.Response {
	form := func(name string) string { return strings.TrimSpace(c.request.PostFormValue(name)) }
	s, person := e.signedIn(c)
	switch form("action") {
	case "sign-in":
		i, problem := e.namedIdentity(form("identity"), form("username"))
		if problem != "" {
			return e.loginPage(a, v, s, filled{Problem: problem, Username: form("username")})
		}
		join := form("keep") != "" && person != nil && person.linkedWith(i)
		return e.signIn(c, a, v, i, form("second_factor") != "", join)
	case "create":
		return e.createAction(c, a, v, person)
	case "link":
		if person == nil {
			return seeOther(e.address(v, "", ""))
		}
		i, problem := e.namedIdentity(form("identity"), form("username"))
		if problem != "" {
			return e.linkPage(a, v, person, filled{Problem: problem, Username: form("username")})
		}
		return e.signIn(c, a, v, i, false, true)
	case "confirm":
		if v.pending == nil {
			return seeOther(e.address(v, "", ""))
		}
		confirmed, linking := v.pending, v.linking
		v.pending, v.linking = nil, false
		return e.enter(c, v, confirmed, true, linking)
	case "restart": // discard the session
		e.endSession(s)
		v.fresh = nil
		return seeOther(e.address(v, "", ""), e.noCookie(c))
	case "deny":
		return redirect(a.back(url.Values{
			"error": {"access_denied"}, "error_description": {"The user denied the request"},
		}))
	case "allow":
		return e.allowAction(c, a, v)
	}
	return pages.UnknownAction().Write
}

// namedIdentity finds the identity of a form: by its button, or by the username that
// was typed.
func (e *engine) namedIdentity(id, username string) (*identity, string) {
	var found *identity
	switch {
	case id != "":
		found = e.identities[strings.ToLower(id)]
	case username == "":
		return nil, "Choose a user or enter a username."
	default:
		found = e.usernames[strings.ToLower(username)]
	}
	switch {
	case found == nil || found.client != nil || found.account == nil:
		return nil, "There is no user with this username. Check the spelling, or create the user."
	case found.closed():
		return nil, "The identity " + found.Username + " is closed."
	}
	return found, ""
}

// signIn signs an identity in, after its second factor where one is needed. With join it becomes
// one of the identities of the user who is signed in.
func (e *engine) signIn(c *call, a *authorization, v *visit, i *identity, secondFactor, join bool) server.Response {
	if secondFactor || a.required.needsSecondFactor(i) {
		v.pending, v.linking = i, join
		return seeOther(e.address(v, "", ""))
	}
	return e.enter(c, v, i, false, join)
}

// needsSecondFactor reports whether a request can only be met by an identity
// that confirmed a second factor.
func (r requirement) needsSecondFactor(i *identity) bool {
	return r.mfa || slices.ContainsFunc(r.policies, func(p *Policy) bool { return p.RequiredMFA && p.admits(i) })
}

// enter records the login of an identity. With join it becomes one of the identities
// of the user who is signed in; otherwise it replaces that user.
func (e *engine) enter(c *call, v *visit, i *identity, secondFactor, join bool) server.Response {
	s, person := e.signedIn(c)
	if join && person != nil {
		e.link(person, i)
	}
	if s == nil || s.account != i.account {
		s, person, join = e.newSession(), nil, false // a new cookie with a new person
	}
	secondFactor = secondFactor || s.authentications[i].mfa && e.now().Equal(s.authentications[i].at)
	e.authenticate(s, i, secondFactor)
	if join && person != nil {
		s.primary = person
	}
	e.keepSession(s)
	if !slices.Contains(v.fresh, i) {
		v.fresh = append(v.fresh, i)
	}
	return seeOther(e.address(v, "", ""), e.cookie(c, s))
}

// createAction creates a user, or another identity of the user who is signed in.
func (e *engine) createAction(c *call, a *authorization, v *visit, person *identity) server.Response {
	linking := v.page == "create-link" && person != nil
	entered := filled{
		Username: strings.TrimSpace(c.request.PostFormValue("username")), Name: strings.TrimSpace(c.request.PostFormValue("name")),
		Email: strings.TrimSpace(c.request.PostFormValue("email")), Provider: c.request.PostFormValue("identity_provider"),
	}
	added, problem := e.createUser(entered)
	if problem != "" {
		entered.Problem = problem
		return e.createPage(a, v, person, linking, entered)
	}
	return e.signIn(c, a, v, added, false, linking)
}

// createUser adds the user of a form, or returns what is wrong with the form.
func (e *engine) createUser(entered filled) (*identity, string) {
	for _, text := range []string{entered.Username, entered.Name, entered.Email} {
		if len(text) > pages.LongestField {
			return nil, "The text is too long."
		}
	}
	if entered.Email != "" {
		if parsed, err := mail.ParseAddress(entered.Email); err != nil || parsed.Address != entered.Email {
			return nil, "Enter a valid email address."
		}
	}
	username := entered.Username
	if entered.Provider != "" {
		at := e.providers.get(entered.Provider)
		if at == nil {
			return nil, "There is no such identity provider."
		}
		if !strings.Contains(username, "@") && username != "" && len(at.Domains) > 0 {
			username += "@" + at.Domains[0]
		}
		if _, domain, _ := strings.Cut(username, "@"); e.providerOf(domain) != at {
			return nil, at.Name + " has usernames of " + strings.Join(at.Domains, " and ") + " only."
		}
	}
	added, err := e.addUser(User{Username: username, Name: entered.Name, Email: entered.Email, Provider: entered.Provider})
	if err != nil {
		return nil, "Cannot create user: " + strings.TrimPrefix(err.Error(), "authtest: ") + "."
	}
	return added, ""
}

// allowAction sends the client a code, if the request and the user are still those
// that the page showed.
func (e *engine) allowAction(c *call, a *authorization, v *visit) server.Response {
	s, person := e.signedIn(c)
	show, effective, refused := e.gate(a, v, s, person)
	if refused != "" {
		return show()
	}
	if c.request.PostFormValue("identity") != effective.ID {
		return e.consentPage(a, v, s, effective, filled{Problem: "Another user has signed in meanwhile. Check the request again before you allow it."})
	}
	narrowed := *a
	narrowed.scopes = chosen(a.scopes, "", c.request.PostForm["optional"])
	if len(narrowed.scopes) == 0 {
		return e.consentPage(a, v, s, effective, filled{Problem: "Select at least one scope, or deny the request."})
	}
	label := strings.TrimSpace(c.request.PostFormValue("label"))
	if len(label) > pages.LongestField {
		return e.consentPage(a, v, s, effective, filled{Problem: "The label is too long."})
	}
	e.keepSession(s)
	response := e.grantCode(c, &narrowed, s, effective)
	for _, r := range narrowed.scopes {
		e.consentFor(effective, a.client, r.scope, nil).Label = label
	}
	return response
}

// endSession signs a browser out. Tokens stay valid.
func (e *engine) endSession(s *session) {
	if s == nil {
		return
	}
	delete(e.sessions.byCookie, s.cookie)
	e.sessions.cookies = slices.DeleteFunc(e.sessions.cookies, func(value string) bool { return value == s.cookie })
	e.changed()
}

// noCookie deletes the session cookie of a browser.
func (e *engine) noCookie(c *call) *http.Cookie {
	cookie := e.cookie(c, &session{})
	cookie.MaxAge = -1
	return cookie
}
