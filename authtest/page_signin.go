package authtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

// listed bounds how many identities a page lists. Others sign in by typing their
// username.
const listed = 50

// flowView is what all pages of an authorization request show.
type flowView struct {
	Client       clientView
	Message      string   // of the application, about the session
	Requirements []string // in words
	Action       string   // where the page's forms go
	FormToken    string
	Problem      string
	Entered      filled

	Back, Create, Switch, Link, CreateLink string // addresses of other pages

	// What some of the pages show.
	Person                        identityView
	AlsoSigned                    []string
	Providers                     []choiceView
	Identities, Linked            []identityView
	More                          int // identities that are not listed
	LinkTo                        string
	Steps                         []stepView
	Scopes                        []scopeView
	Detail, Label                 string
	SecondFactor, Excluded        bool
	Offline, Labelled, AllowedNow bool
}

// clientView is the application that requests access.
type clientView struct{ Name, ID, Terms, Privacy, Destination string }

// identityView is one row of a list of identities.
type identityView struct{ ID, Username, Name, Provider, Initial, Note string }

// choiceView is a link or an option of which one is chosen.
type choiceView struct {
	Name, Value, Address string
	Chosen               bool
}

func (e *engine) flowView(a *authorization, v *visit, entered filled) flowView {
	asking := a.client
	view := flowView{
		Client: clientView{
			Name: asking.Name, ID: asking.ID, Terms: webAddress(asking.TermsAndConditions),
			Privacy: webAddress(asking.PrivacyPolicy), Destination: destination(a.params.RedirectURI, e.config.BaseURL),
		},
		Message: a.required.message, Requirements: e.inWords(a),
		Action: e.address(v, v.page, v.provider), FormToken: e.forms.Token(v.browser),
		Problem: entered.Problem, Entered: entered,
	}
	if view.Client.Name == "" {
		view.Client.Name = asking.ID
	}
	on := *v // other pages leave a second factor that waits
	on.pending, on.linking = nil, false
	view.Back, view.Create = e.address(&on, "", ""), e.address(&on, "create", "")
	view.Switch, view.Link, view.CreateLink = e.address(&on, "accounts", ""), e.address(&on, "link", ""), e.address(&on, "create-link", "")
	return view
}

// webAddress keeps a link that leads to the web.
func webAddress(text string) string {
	if parsed, err := url.Parse(text); err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		return ""
	}
	return text
}

// destination describes the redirect URI in short.
func destination(redirectURI, base string) string {
	parsed, err := url.Parse(redirectURI)
	switch {
	case err != nil:
		return ""
	case strings.HasSuffix(redirectURI, "/v2/web/auth-code") && strings.HasPrefix(redirectURI, base):
		return "a page that shows a code to copy"
	case origin.Loopback(parsed.Hostname()):
		return "a program on this computer (" + parsed.Host + ")"
	case parsed.Host != "":
		return parsed.Host
	}
	return "the application " + parsed.Scheme
}

// flowPage is a page that may end at the client.
func (v *visit) flowPage(a *authorization, name, title string, view flowView) server.Response {
	p := pages.Page{
		Status: http.StatusOK, Name: name, Title: title, View: view, Cookies: v.browser.Cookies, RedirectURI: a.params.RedirectURI,
	}
	if view.Problem != "" {
		p.Status, p.Title = http.StatusUnprocessableEntity, "Problem: "+title
	}
	return p.Write
}

// loginPage lets a person choose an identity.
func (e *engine) loginPage(a *authorization, v *visit, s *session, entered filled) server.Response {
	if entered.Username == "" {
		entered.Username = a.params.LoginHint
	}
	only := v.provider
	if only == "" {
		if only = a.client.RequiredIDP; only == "" && e.providers.get(a.client.PreselectIDP) != nil {
			only = a.client.PreselectIDP
		}
	}
	view := e.flowView(a, v, entered)
	view.SecondFactor = a.required.mfa
	view.Providers = append(view.Providers, choiceView{Name: "All", Address: e.address(v, v.page, "all"), Chosen: only == "" || only == "all"})
	for p := range e.providers.all() {
		if p.ID != clientProviderID {
			view.Providers = append(view.Providers, choiceView{
				Name: p.Name, Address: e.address(v, v.page, p.ID), Chosen: only == p.ID,
			})
		}
	}
	view.Identities, view.More = e.listIdentities(a, s, func(i *identity) bool {
		return only == "" || only == "all" || i.provider.ID == only
	})
	return v.flowPage(a, "login.html", "Sign in", view)
}

// listIdentities returns the first people that fit: those that the request names
// before the others.
func (e *engine) listIdentities(a *authorization, s *session, fits func(*identity) bool) (rows []identityView, more int) {
	var first []*identity
	if hinted := e.findIdentity(a.params.LoginHint); hinted != nil && hinted.account != nil {
		first = append(first, hinted)
	}
	first = append(first, a.required.identities...)
	add := func(i *identity) {
		switch {
		case i.closed() || !fits(i):
		case len(rows) == listed:
			more++
		default:
			rows = append(rows, e.identityView(i, s))
		}
	}
	for _, i := range first {
		add(i)
	}
	for person := range e.persons() {
		for _, i := range person.identities {
			if !slices.Contains(first, i) {
				add(i)
			}
		}
	}
	return rows, more
}

func (e *engine) identityView(i *identity, s *session) identityView {
	view := identityView{ID: i.ID, Username: i.Username, Name: i.Name, Provider: i.provider.Name}
	if view.Name == "" {
		view.Name = i.Username
	}
	for _, letter := range view.Name {
		view.Initial = strings.ToUpper(string(letter))
		break
	}
	if s != nil {
		if _, there := s.authentications[i]; there {
			view.Note = "signed in"
			return view
		}
	}
	if i.account != nil && i.account.identities[0] != i {
		view.Note = "linked to " + i.account.identities[0].Username
	}
	return view
}

// createPage asks for a new user, or for a new identity of the user who is signed in.
func (e *engine) createPage(a *authorization, v *visit, person *identity, linking bool, entered filled) server.Response {
	view := e.flowView(a, v, entered)
	title := "Create a user"
	if linking {
		view.LinkTo, title = person.Username, "Create an identity to link"
	}
	view.Providers = e.providerChoices(entered.Provider)
	return v.flowPage(a, "create.html", title, view)
}

func (e *engine) providerChoices(chosen string) []choiceView {
	choices := []choiceView{{Name: "The provider of the username's domain", Chosen: chosen == ""}}
	for p := range e.providers.all() {
		if p.ID != clientProviderID {
			choices = append(choices, choiceView{
				Name: p.Name + " (" + strings.Join(p.Domains, ", ") + ")", Value: p.ID, Chosen: p.ID == chosen,
			})
		}
	}
	return choices
}

// linkPage lets a person add an identity to theirs.
func (e *engine) linkPage(a *authorization, v *visit, person *identity, entered filled) server.Response {
	view := e.flowView(a, v, entered)
	view.Person = e.identityView(person, nil)
	for _, i := range person.identitySet()[1:] {
		row := e.identityView(i, nil)
		row.Note = ""
		view.Linked = append(view.Linked, row)
	}
	view.Identities, view.More = e.listIdentities(a, nil, func(i *identity) bool { return !i.linkedWith(person) })
	return v.flowPage(a, "link.html", "Link an identity", view)
}

// secondFactorPage asks for the second factor of an identity.
func (e *engine) secondFactorPage(a *authorization, v *visit) server.Response {
	view := e.flowView(a, v, filled{})
	view.Person = e.identityView(v.pending, nil)
	view.Action = e.address(v, "", "")
	return v.flowPage(a, "second-factor.html", "Confirm your identity", view)
}
