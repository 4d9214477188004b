package authtest_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// TestServerBrowser_SessionsAddUp signs a user in twice, the second time with a linked identity: one browser has one session
// with both, another browser has a session of its own.
func TestServerBrowser_SessionsAddUp(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	alice := server.AddUser(authtest.User{Username: "ada@physics.example.edu", Linked: []authtest.User{{Username: "ada@lab.example.org"}}})
	ready := server.Ready()
	authorize := func(domain string) string {
		query := url.Values{
			"client_id": {ready.ConfidentialClientID}, "redirect_uri": {ready.ConfidentialRedirectURI}, "response_type": {"code"},
			"scope": {"openid"}, "state": {"s"}, "session_required_single_domain": {domain},
		}
		return server.BaseURL() + "v2/oauth2/authorize?" + query.Encode()
	}
	one, other := server.Browser(alice.Username), server.Browser(alice.Username)
	for _, step := range []struct {
		browser func() (*url.URL, error)
		want    []int // the number of identities of each session
	}{
		{func() (*url.URL, error) { return one(t.Context(), authorize("physics.example.edu")) }, []int{1}},
		{func() (*url.URL, error) { return one(t.Context(), authorize("lab.example.org")) }, []int{2}},
		{func() (*url.URL, error) { return other(t.Context(), authorize("lab.example.org")) }, []int{2, 2}},
	} {
		callback, err := step.browser()
		if err != nil || callback.Query().Get("code") == "" {
			t.Fatalf("%v, %v", callback, err)
		}
		var got []int
		for _, session := range server.Snapshot().State.Sessions {
			got = append(got, len(session.Authentications))
		}
		slices.Sort(got)
		if !slices.Equal(got, step.want) {
			t.Errorf("identities in the sessions: %d, want %d", got, step.want)
		}
	}
}
