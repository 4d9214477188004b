package contract_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

const (
	challenge  = "ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA"
	dataAccess = scopes.Scope("https://auth.globus.org/scopes/" + id1 + "/data_access")
)

// authorizeCalls make the requests of a browser that opens a login's URL.
var authorizeCalls = map[string]call{
	"authorize: native minimal": func(w *mocked) error {
		return w.authorize(nativeParams(func(p *gen.AuthorizeParams) {
			p.Scope, p.State, p.AccessType = "openid email", "_default", gen.AccessTypeOnline
			p.RedirectURI, p.PrefillNamedGrant = "https://auth.globus.org/v2/web/auth-code", ""
		}))
	},
	"authorize: native full": func(w *mocked) error {
		return w.authorize(nativeParams(func(p *gen.AuthorizeParams) {
			p.SessionRequiredIdentities = []string{id1, "bob@example.org"}
			p.SessionRequiredSingleDomain = []string{"a.edu", "b.edu"}
			p.SessionRequiredPolicies = []string{id1, id2}
			p.SessionRequiredMFA, p.SessionMessage, p.Prompt = true, "Please & thanks", gen.PromptLogin
		}), "foo=bar+baz")
	},
	"authorize: native mfa false": func(w *mocked) error {
		return w.authorize(nativeParams(func(p *gen.AuthorizeParams) { p.SessionRequiredMFA = false }))
	},
	"authorize: native single values": func(w *mocked) error {
		return w.authorize(nativeParams(func(p *gen.AuthorizeParams) {
			p.SessionRequiredIdentities, p.SessionRequiredPolicies = []string{id1}, []string{id2}
			p.SessionRequiredSingleDomain = []string{"a.edu"}
		}))
	},
	"authorize: confidential": func(w *mocked) error {
		return w.authorize(portalParams("s", gen.AccessTypeOffline))
	},
	"authorize: confidential minimal": func(w *mocked) error {
		return w.authorize(portalParams("_default", gen.AccessTypeOnline))
	},
	"authorize: confidential minimal + prompt": func(w *mocked) error {
		params := portalParams("_default", gen.AccessTypeOffline)
		params.Prompt = gen.PromptLogin
		return w.authorize(params)
	},
}

// authorize opens a login's address, with more parameters in its query.
func (w *mocked) authorize(params *gen.AuthorizeParams, query ...string) error {
	req, err := gen.NewAuthorizeRequest(w.ctx, baseURL+"/", params)
	if err == nil {
		req.URL.RawQuery = strings.Join(append(query, req.URL.RawQuery), "&")
	}
	return browse(w.public, req, err)
}

// browse sends a request as a browser does. A failure status is an error.
func browse(client *globusauth.Client, req *http.Request, err error) error {
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/html")
	browser := client.HTTPClient()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := browser.Do(req)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing was written.
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		return apierror.FromResponse("browse", response.StatusCode, response.Header, body)
	}
	if err == nil && response.StatusCode == http.StatusOK && len(body) == 0 {
		return errors.New("an empty page")
	}
	return err
}

func nativeParams(change func(*gen.AuthorizeParams)) *gen.AuthorizeParams {
	params := gen.AuthorizeParams{
		ClientID: clientID, RedirectURI: "http://localhost:1234", Scope: string(scopes.TransferAll.With(dataAccess.Optional())),
		State: "st&te", ResponseType: gen.ResponseTypeCode, CodeChallenge: challenge,
		CodeChallengeMethod: gen.CodeChallengeMethodS256, AccessType: gen.AccessTypeOffline, PrefillNamedGrant: "My Grant",
	}
	change(&params)
	return &params
}

func portalParams(state string, access gen.AccessType) *gen.AuthorizeParams {
	return &gen.AuthorizeParams{
		ClientID: clientID, RedirectURI: "https://app.example/cb", Scope: "openid email", State: state,
		ResponseType: gen.ResponseTypeCode, AccessType: access,
	}
}

func TestClient_AuthorizeRequests(t *testing.T) {
	t.Parallel()
	replay(t, authorizeRecords(t), authorizeCalls, authorizeDifferences)
}

// documentedCalls make the requests that no SDK makes.
var documentedCalls = map[string]call{
	"one identity with its provider": func(w *mocked) error {
		params := gen.GetIdentityParams{Include: []gen.IdentityInclude{gen.IdentityIncludeIdentityProvider}}
		return only(w.user.GetIdentity(w.ctx, id1, &params))
	},
	"clients of a project": func(w *mocked) error {
		return only(w.user.GetClients(w.ctx, &gen.GetClientsParams{ProjectID: id1}))
	},
	"a client reads its own record": func(w *mocked) error { return only(w.app.GetClient(w.ctx, clientID)) },
	"the page that shows a code": func(w *mocked) error {
		req, err := gen.NewAuthCodePageRequest(w.ctx, baseURL+"/", &gen.AuthCodePageParams{Code: "CODE", State: "STATE"})
		return browse(w.public, req, err)
	},
	"the page that ends a session": func(w *mocked) error {
		params := gen.LogoutPageParams{Client: clientID, RedirectURI: "https://portal.example.org/", RedirectName: "Example portal"}
		req, err := gen.NewLogoutPageRequest(w.ctx, baseURL+"/", &params)
		return browse(w.public, req, err)
	},
}

func TestClient_DocumentedRequests(t *testing.T) {
	t.Parallel()
	replay(t, pythonRecords(t, "documented_requests.json"), documentedCalls, nil)
}
