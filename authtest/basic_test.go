package authtest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

func TestBasicAuthorization_Credentials(t *testing.T) {
	t.Parallel()
	const id, secret = "a0000000-0000-4000-8000-0000000000b5", "a+b %2B/=é:"
	world := authtest.DefaultWorld()
	world.Clients = append(world.Clients, authtest.Client{ID: id, Name: "Odd secret", Secret: secret})
	p := newPeer(t, authtest.Config{World: &world})
	ask := func(authorization string) result {
		return p.do("POST", "/v2/oauth2/token", authorization, url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	}
	for name, authorization := range map[string]string{
		"as it is":                basic(id, secret),
		"form-encoded":            basic(url.QueryEscape(id), url.QueryEscape(secret)),
		"form-encoded to the end": basic("a0000000%2D0000%2D4000%2D8000%2D0000000000b5", url.QueryEscape(secret)),
		"small letters":           "basic" + basic(id, secret)[len("Basic"):],
	} {
		if got := ask(authorization); got.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, got.status, got.body)
		}
	}
	unescaped, err := url.QueryUnescape(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, authorization := range map[string]string{
		"decoded once too often": basic(id, unescaped),
		"encoded twice":          basic(id, url.QueryEscape(url.QueryEscape(secret))),
		"broken escape":          basic(id, "%zz"),
		"no base64":              "Basic !",
		"no secret":              basic(id, ""),
	} {
		got := p.want(ask(authorization), http.StatusUnauthorized).json(t)
		if got["error"] != "unauthorized" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
