package authtest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

// AuthCodePage shows an authorization code for copying.
func (a api) AuthCodePage(_ context.Context, request server.AuthCodePageRequestObject) (server.AuthCodePageResponseObject, error) {
	params := request.Params
	view := struct {
		Code, Client, Person, Label, Lifetime string
		Error, ErrorDescription               string
		Warning                               string
	}{Code: params.Code, Error: params.Error, ErrorDescription: params.ErrorDescription}
	shown := pages.Page{Status: http.StatusOK, Name: "code.html", Title: "Your authorization code", Private: true}
	found := a.codes[params.Code]
	switch {
	case params.Error != "":
		shown.Title = "No authorization code"
	case params.Code == "":
		return errorPage(http.StatusBadRequest, "OAUTH_AUTH_REQUEST_FAILURE", "The parameter code is missing."), nil
	case found == nil:
		view.Warning = "This server did not issue this code. The program cannot use it."
	case found.login != nil:
		view.Warning = "This code was already used. Start again in the program."
	case a.now().Sub(found.issued) >= codeLifetime:
		view.Warning = "This code has expired. Start again in the program."
	default:
		view.Client, view.Person, view.Lifetime = found.authorization.client.Name, found.identity.Username, pages.Duration(codeLifetime)
		view.Label = found.authorization.params.PrefillNamedGrant
		if len(found.consents) > 0 {
			view.Label = found.consents[0].Label
		}
	}
	shown.View = view
	return server.Response(shown.Write), nil
}

// LogoutPage signs the browser out and offers a way back.
func (a api) LogoutPage(ctx context.Context, request server.LogoutPageRequestObject) (server.LogoutPageResponseObject, error) {
	c := callFrom(ctx)
	s, person := a.signedIn(c)
	a.endSession(s)
	params := request.Params
	view := struct{ Person, Client, Back, BackName, BackHost, Refused string }{}
	if person != nil {
		view.Person = person.Username
	}
	asking := a.clients.get(params.Client)
	if asking != nil {
		view.Client = asking.Name
	}
	if params.RedirectURI != "" {
		if asking != nil && asking.mayReturnTo(params.RedirectURI) {
			back, _ := url.Parse(params.RedirectURI) // mayReturnTo has parsed it
			view.Back, view.BackName, view.BackHost = params.RedirectURI, pages.Clip(params.RedirectName, pages.LongestField), back.Host
			if view.BackName == "" {
				view.BackName = asking.Name
			}
		} else {
			view.Refused = "The return address does not belong to a registered application, so it is not linked."
		}
	}
	shown := pages.Page{
		Status: http.StatusOK, Name: "logout.html", Title: "You are signed out", View: view, Cookies: []*http.Cookie{a.noCookie(c)},
	}
	return server.Response(shown.Write), nil
}

// mayReturnTo reports whether a link may lead to an address after signing out: to
// a site at which the client has a registered redirect URI, or, for native
// clients, to a program on the person's computer. Portals return to their front
// page, not to their callback, so only the origin counts.
func (c *client) mayReturnTo(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" || parsed.User != nil {
		return false
	}
	if c.native() && parsed.Scheme == "http" && origin.Loopback(parsed.Hostname()) {
		return true
	}
	return slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		registered, err := url.Parse(uri)
		return err == nil && registered.Scheme == parsed.Scheme && strings.EqualFold(registered.Host, parsed.Host)
	})
}
