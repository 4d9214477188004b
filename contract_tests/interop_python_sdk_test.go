package contract_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// authorize opens an authorization URL of the SDK and returns the redirect.
func (p *pythonPeer) authorize(requestURI string) *url.URL {
	p.t.Helper()
	path, query, _ := strings.Cut(requestURI, "?")
	r := p.send(pythonRequest{Method: http.MethodGet, Path: path, RawQuery: query, Headers: map[string]string{"Accept": "*/*"}})
	location, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusFound {
		p.t.Fatalf("status %d, %v: %s", r.status, err, r.body)
	}
	return location
}

// code logs in by a recorded URL and returns the authorization code.
func (p *pythonPeer) code(label string) string {
	p.t.Helper()
	for _, record := range authorizeRecords(p.t) {
		if record.label == "authorize: "+label {
			return p.authorize(record.path + "?" + record.query.Encode()).Query().Get("code")
		}
	}
	p.t.Fatalf("no recorded URL %q", label)
	return ""
}

// TestAuthtest_PythonAuthorizeURLs opens every recorded authorization URL of the
// Python SDK.
func TestAuthtest_PythonAuthorizeURLs(t *testing.T) {
	t.Parallel()
	var file struct {
		CodeVerifier string `json:"code_verifier"`
		URLs         []struct {
			Label string `json:"label"`
			URL   string `json:"url"`
		} `json:"urls"`
	}
	readFixture(t, "sdk_authorize_urls.json", &file)
	for _, record := range file.URLs {
		t.Run(record.Label, func(t *testing.T) {
			t.Parallel()
			p := newPythonPeer(t, record.Label)
			asked := parseURL(t, record.URL).Query()
			back := p.authorize(strings.TrimPrefix(record.URL, baseURL))
			if got := strings.TrimSuffix(back.String(), "?"+back.RawQuery); got != asked.Get("redirect_uri") {
				t.Errorf("sent to %s, want %s", got, asked.Get("redirect_uri"))
			}
			if got := back.Query().Get("state"); got != asked.Get("state") {
				t.Errorf("state %q, want %q", got, asked.Get("state"))
			}
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {asked.Get("redirect_uri")},
			}
			headers := map[string]string{}
			if strings.HasPrefix(record.Label, "native") {
				form.Set("client_id", clientID)
				form.Set("code_verifier", file.CodeVerifier)
			} else {
				headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret))
			}
			r := p.form(form.Encode(), headers)
			for server, token := range pythonTokens(r) {
				offline := asked.Get("access_type") == "offline"
				if (token["refresh_token"] != nil) != offline {
					t.Errorf("%s: refresh token %v with access_type %s", server, token["refresh_token"], asked.Get("access_type"))
				}
			}
			if strings.Contains(asked.Get("scope"), "openid") {
				p.decodeIDToken(r.ok()["id_token"])
			}
		})
	}
}

// TestAuthtest_PythonSDK checks what else the SDK needs from a server.
func TestAuthtest_PythonSDK(t *testing.T) {
	t.Parallel()
	const transfer = "urn:globus:auth:scope:transfer.api.globus.org:all"
	basic := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret))}
	login := func(p *pythonPeer, scope string) pythonResult {
		query := url.Values{
			"client_id": {clientID}, "redirect_uri": {"http://127.0.0.1:5000"}, "scope": {scope}, "state": {"_default"},
			"response_type": {"code"}, "code_challenge": {"ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA"},
			"code_challenge_method": {"S256"}, "access_type": {"offline"},
		}
		code := p.authorize("/v2/oauth2/authorize?" + query.Encode()).Query().Get("code")
		form := url.Values{
			"client_id": {clientID}, "grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {strings.Repeat("a", 43)},
			"redirect_uri": {"http://127.0.0.1:5000"},
		}
		return p.form(form.Encode(), nil)
	}
	t.Run("a token for every service, with the requested scopes", func(t *testing.T) {
		t.Parallel()
		r := login(newPythonPeer(t, "native"), "openid profile email "+transfer)
		tokens := pythonTokens(r)
		if tokens["auth.globus.org"]["scope"] != "openid profile email" || tokens["transfer.api.globus.org"]["scope"] != transfer {
			t.Errorf("tokens: %v", tokens)
		}
		if r.ok()["resource_server"] != "auth.globus.org" || r.ok()["id_token"] == nil {
			t.Error("the ID token is not at the top, with the token for Globus Auth")
		}
	})
	t.Run("a client's own tokens carry openid profile email", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "Confidential")
		tokens := pythonTokens(p.form("grant_type=client_credentials&scope=openid+profile+email", basic))
		if got := tokens["auth.globus.org"]["scope"]; got != "openid profile email" {
			t.Errorf("scope %v", got)
		}
	})
	t.Run("a refresh token works several times", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "native")
		token := pythonTokens(login(p, "openid "+transfer))["transfer.api.globus.org"]
		for range 3 {
			refresh, _ := token["refresh_token"].(string)
			r := p.form("refresh_token="+refresh+"&grant_type=refresh_token&client_id="+clientID, nil)
			pythonRefreshed(p, r)
			token = r.ok()
		}
	})
	t.Run("consents with a token that has openid alone", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "native")
		login(p, transfer+"[*https://auth.globus.org/scopes/"+id1+"/data_access]").ok()
		token, _ := login(p, "openid").ok()["access_token"].(string)
		r := p.get("/v2/api/identities/"+id1+"/consents", "all=False", token)
		pythonConsentList(p, r)
		var depths []int
		for _, consent := range r.list("consents") {
			path, _ := consent["dependency_path"].([]any)
			depths = append(depths, len(path))
		}
		if !slices.Contains(depths, 2) {
			t.Errorf("no dependent consent: %s", r.body)
		}
		p.get("/v2/api/identities/"+id1+"/consents", "all=True", token).refusedWith(http.StatusForbidden, "FORBIDDEN")
	})
	t.Run("a long URL", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "native")
		data := strings.Repeat("*https://auth.globus.org/scopes/"+id1+"/data_access ", 60)
		if got := login(p, transfer+"["+strings.TrimSpace(data)+"]").ok()["scope"]; got != transfer {
			t.Errorf("scope %v", got)
		}
	})
	t.Run("errors", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "native")
		p.get("/v2/oauth2/userinfo", "", "unknown").refusedWith(http.StatusUnauthorized, "UNAUTHORIZED")
		p.get("/v2/api/projects", "", "").refusedWith(http.StatusUnauthorized, "UNAUTHORIZED")
		p.get("/v2/api/policies/"+pythonTool, "", p.token()).refusedWith(http.StatusNotFound, "NOT_FOUND")
		p.get("/v2/nowhere", "", p.token()).refusedWith(http.StatusNotFound, "NOT_FOUND")
		p.form("refresh_token=unknown&grant_type=refresh_token&client_id="+clientID, nil).
			oauthError(http.StatusBadRequest, "invalid_grant")
		p.form("grant_type=x&client_id="+clientID, nil).oauthError(http.StatusBadRequest, "unsupported_grant_type")
		p.form("grant_type=client_credentials&scope=openid", basic).refusedWith(http.StatusUnauthorized, "UNAUTHORIZED")
	})
	t.Run("missing consent", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "Confidential")
		token := p.server.Issue(authtest.Grant{User: pythonUser, Client: pythonTool, Scopes: []string{pythonScope}})[0].AccessToken
		if p.server.RevokeConsents(pythonUser, "a") != 1 {
			t.Fatal("no consent to revoke")
		}
		r := p.form("grant_type=urn%3Aglobus%3Aauth%3Agrant_type%3Adependent_token&token="+token, basic)
		r.refusedWith(http.StatusForbidden, "DEPENDENT_CONSENT_REQUIRED")
		sameFields(t, "", pythonRecorded(t, "oauth2_token_extra/dependent_consent_required"), r.json)
	})
	t.Run("a username in another letter case is found", func(t *testing.T) {
		t.Parallel()
		p := newPythonPeer(t, "native")
		r := p.get("/v2/api/identities", "usernames="+strings.ToUpper("a@b.c")+"&provision=false", p.token())
		pythonUsernames("a@b.c")(p, r)
	})
}
