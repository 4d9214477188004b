package authtest_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

// TestServer_ConcurrentRequestsAndHelpers has a hundred clients do everything at the same time. The
// race detector and the checks of every message do the rest.
func TestServer_ConcurrentRequestsAndHelpers(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{RotateRefreshTokens: true, RefreshTokenGrace: time.Minute})
	const clients = 100
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			username := fmt.Sprintf("user%d@example.edu", n)
			p.server.AddUser(authtest.User{Username: username})
			login := p.login("openid "+manage+" "+p.ready.DependentGrant.Scope, "access_type", "offline", "login_hint", username)
			own := bearer(text(login, "access_token"))
			next := p.want(p.refresh(text(login, "refresh_token")), 200).json(t)
			p.want(p.refresh(text(login, "refresh_token")), 200)
			p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(next, "access_token")), nil), 200)
			jobs := text(token(t, login, p.ready.ConfidentialClientID), "access_token")
			p.introspected(jobs, p.ready.PolicyID)
			p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), url.Values{
				"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {jobs},
			}), 200)
			p.want(p.do("GET", "/v2/api/identities?usernames="+url.QueryEscape(username)+"&provision=false", own, nil), 200)
			me := text(p.want(p.do("GET", "/v2/oauth2/userinfo", own, nil), 200).json(t), "sub")
			p.want(p.do("GET", "/v2/api/identities/"+me+"/consents", own, nil), 200)
			project := inner(t, p.want(p.do("POST", "/v2/api/projects", own, object{"project": object{
				"display_name": username, "contact_email": username, "admin_ids": []string{me},
			}}), 200).json(t), "project")
			made := inner(t, p.want(p.do("POST", "/v2/api/clients", own, object{"client": object{
				"name": username, "project": project["id"], "public_client": false,
			}}), 200).json(t), "client")
			path := "/v2/api/clients/" + text(made, "id")
			p.want(p.do("POST", path+"/credentials", own, object{"credential": object{"name": "x"}}), 200)
			p.want(p.do("POST", path+"/scopes", own, object{"scope": object{"name": "n", "description": "d", "scope_suffix": "s"}}), 200)
			p.want(p.do("DELETE", path, own, nil), 200)
			p.want(p.do("DELETE", "/v2/api/projects/"+text(project, "id"), own, nil), 200)
			p.want(p.do("POST", "/v2/oauth2/token/revoke", "", url.Values{
				"token": {text(next, "refresh_token")}, "client_id": {p.ready.NativeClientID},
			}), 200)
			switch n % 10 {
			case 0:
				p.server.Snapshot()
			case 1:
				p.server.Requests()
			case 2:
				p.server.ClearFaults(p.server.Inject(authtest.Fault{Kind: authtest.FaultLatency, Latency: time.Microsecond}))
			case 3:
				p.server.RevokeConsents(username)
			}
		})
	}
	wg.Wait()
	stats := p.server.Stats()
	if got := stats.Grants["refresh_token"]["ok"]; got != 2*clients {
		t.Errorf("%d refreshes were counted, want %d", got, 2*clients)
	}
	if got := len(p.server.Snapshot().Projects); got != 1 {
		t.Errorf("%d projects are left, want the built-in one", got)
	}
}
