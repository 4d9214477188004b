package flows_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

func TestConfigResume_InAnotherProcess(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	login := start(t, p.confidential(t))
	callback := p.authorize(t, login)
	data, err := login.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 1024 {
		t.Errorf("%d bytes are a lot for a cookie", len(data))
	}
	// A client and flow of its own, as another replica has.
	again, err := p.confidential(t).Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	if again.URL() != "" || again.State() != login.State() || again.RedirectURI() != redirectURI {
		t.Errorf("URL %q, same state: %t, redirect URI %q", again.URL(), again.State() == login.State(), again.RedirectURI())
	}
	if _, _, err := again.Finish(t.Context(), with(callback, map[string][]string{"state": {"forged"}})); !errors.Is(err, flows.ErrState) {
		t.Errorf("forged state: %v", err)
	}
	set, _, err := again.Finish(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	if token, _ := set.ByResourceServer(scopes.TransferResourceServer); token.IdentityID != alice {
		t.Errorf("identity %q", token.IdentityID)
	}
	once, err := again.MarshalStorage()
	if err != nil || string(once) != string(data) {
		t.Errorf("stored once more: %v, same: %t", err, string(once) == string(data))
	}
}

// The nonce survives storage: what a resumed login verifies is no less.
func TestConfigResume_VerifiesTheNonce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.idToken = func(_ *provider, claims object) string {
		claims["nonce"] = "another-login"
		return sign(signingKey(), object{"typ": "JWT", "alg": "RS512"}, claims)
	}
	login := start(t, p.native(t))
	data, err := login.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.native(t).Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.FinishCode(t.Context(), p.authorize(t, login).Get("code")); err == nil || !strings.Contains(err.Error(), "nonce") {
		t.Errorf("error %v", err)
	}
}

func TestConfigResume_Refuses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	data, err := start(t, portal).MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	stored := flows.ErrStored
	secret := strings.Repeat("s", 43)
	for name, test := range map[string]struct {
		edit func(login object)
		data string
		want error
		text string
	}{
		"nothing":             {data: "", want: stored, text: "not the JSON"},
		"null":                {data: "null", want: stored, text: "not written by"},
		"not JSON":            {data: "{", want: stored, text: "not the JSON"},
		"a list":              {data: "[]", want: stored, text: "not the JSON"},
		"something behind":    {data: string(data) + "{}", want: stored, text: "not the JSON"},
		"a field twice":       {data: `{"state":"` + secret + `",` + string(data[1:]), want: stored, text: "not the JSON"},
		"an unknown field":    {edit: func(l object) { l["skip_checks"] = true }, want: stored, text: "not the JSON"},
		"another format":      {edit: func(l object) { l["format"] = "globusauth login 2" }, want: stored, text: "not written by"},
		"another client":      {edit: func(l object) { l["client_id"] = "another" }, want: stored, text: "ClientID"},
		"another issuer":      {edit: func(l object) { l["issuer"] = "https://auth.evil.example" }, want: stored, text: "issuer"},
		"another redirect":    {edit: func(l object) { l["redirect_uri"] = "https://evil.example/" }, want: stored, text: "RedirectURI"},
		"no verifier":         {edit: func(l object) { delete(l, "code_verifier") }, want: stored, text: "code verifier"},
		"short verifier":      {edit: func(l object) { l["code_verifier"] = "s" }, want: stored, text: "code verifier"},
		"no state":            {edit: func(l object) { delete(l, "state") }, want: stored, text: "state"},
		"short state":         {edit: func(l object) { l["state"] = "s" }, want: stored, text: "state"},
		"no nonce":            {edit: func(l object) { delete(l, "nonce") }, want: stored, text: "nonce is missing or malformed"},
		"empty nonce":         {edit: func(l object) { l["nonce"] = "" }, want: stored, text: "nonce is missing or malformed"},
		"short nonce":         {edit: func(l object) { l["nonce"] = "s" }, want: stored, text: "nonce"},
		"nonce of wrong type": {edit: func(l object) { l["nonce"] = 1 }, want: stored, text: "not the JSON"},
		"no end":              {edit: func(l object) { delete(l, "expires_at") }, want: flows.ErrLoginExpired, text: "start a new one"},
		"past its end":        {edit: func(l object) { l["expires_at"] = p.clock.Now().Unix() }, want: flows.ErrLoginExpired},
		"much later an end":   {edit: func(l object) { l["expires_at"] = p.clock.Now().Add(2 * time.Hour).Unix() }, want: stored, text: "later than in one hour"},
		"an end after all":    {edit: func(l object) { l["expires_at"] = int64(1) << 62 }, want: stored, text: "later than in one hour"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := test.data
			if test.edit != nil {
				var login object
				if err := json.Unmarshal(data, &login); err != nil {
					t.Fatal(err)
				}
				test.edit(login)
				edited, err := json.Marshal(login)
				if err != nil {
					t.Fatal(err)
				}
				text = string(edited)
			}
			login, err := portal.Resume([]byte(text))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want %v with %q", err, test.want, test.text)
			}
			if _, err := login.MarshalStorage(); err == nil {
				t.Error("a login was returned all the same")
			}
		})
	}
	if _, err := portal.Resume(data); err != nil {
		t.Errorf("as it was stored: %v", err)
	}
}

func TestConfigResume_dLoginEndsWhenTheFirstDid(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	login := start(t, p.confidential(t))
	data, err := login.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	p.clock.advance(59 * time.Minute)
	again, err := p.confidential(t).Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	callback := p.authorize(t, login)
	p.clock.advance(time.Minute)
	if _, _, err := again.Finish(t.Context(), callback); !errors.Is(err, flows.ErrLoginExpired) {
		t.Errorf("error %v", err)
	}
}

// Without openid there is no nonce, and its absence is no fault.
func TestConfigResume_WithoutOpenID(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	native := p.native(t)
	native.Scopes = scopes.List{scopes.TransferAll}
	login := start(t, native)
	data, err := login.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	again, err := native.Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.FinishCode(t.Context(), p.authorize(t, login).Get("code")); err != nil {
		t.Error(err)
	}
}
