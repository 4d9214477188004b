package flows_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
)

// The table of attacks on the ID token, through the one call that programs make.
func TestLoginFinish_RefusesIDToken(t *testing.T) {
	t.Parallel()
	globus := object{"typ": "JWT", "alg": "RS512"}
	changed := func(changes object) func(*provider, object) string {
		return func(_ *provider, claims object) string {
			for name, value := range changes {
				if value == nil {
					delete(claims, name)
				} else {
					claims[name] = value
				}
			}
			return sign(signingKey(), globus, claims)
		}
	}
	payload := func(edit func(text string) string) func(*provider, object) string {
		return func(_ *provider, claims object) string {
			text, err := json.Marshal(claims)
			if err != nil {
				panic(err)
			}
			header := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"RS512"}`))
			return signText(signingKey(), globus, header+"."+base64.RawURLEncoding.EncodeToString([]byte(edit(string(text)))))
		}
	}
	shift := func(claim string, d time.Duration) func(*provider, object) string {
		return func(p *provider, claims object) string {
			claims[claim] = p.clock.Now().Add(d).Unix()
			return sign(signingKey(), globus, claims)
		}
	}
	for name, test := range map[string]struct {
		idToken func(p *provider, claims object) string
		want    error
	}{
		"none at all": {func(*provider, object) string { return "" }, flows.ErrIdentity},
		"alg none": {func(_ *provider, claims object) string {
			token := sign(signingKey(), object{"alg": "none"}, claims)
			return token[:strings.LastIndexByte(token, '.')+1]
		}, idCheckError("alg none")},
		"HS256 with the public key": {func(_ *provider, claims object) string {
			der, err := x509.MarshalPKIXPublicKey(&signingKey().PublicKey)
			if err != nil {
				panic(err)
			}
			token := sign(signingKey(), object{"alg": "HS512"}, claims)
			signed := token[:strings.LastIndexByte(token, '.')]
			mac := hmac.New(sha512.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			mac.Write([]byte(signed))
			return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		}, idCheckError("alg hmac")},
		"RS256 where RS512 is announced": {func(_ *provider, claims object) string {
			return sign(signingKey(), object{"typ": "JWT", "alg": "RS256"}, claims)
		}, idCheckError("alg")},
		"another key": {func(_ *provider, claims object) string { return sign(otherKey(), globus, claims) }, idCheckError("signature")},
		"one byte changed": {func(_ *provider, claims object) string {
			token := []byte(sign(signingKey(), globus, claims))
			if at := len(token) - 100; token[at] == 'A' {
				token[at] = 'B'
			} else {
				token[at] = 'A'
			}
			return string(token)
		}, idCheckError("signature")},
		"expired":                {shift("exp", -301*time.Second), idtoken.ErrExpired},
		"not yet valid":          {shift("nbf", 301*time.Second), idCheckError("nbf")},
		"issued in the future":   {shift("iat", 301*time.Second), idCheckError("iat")},
		"another audience":       {changed(object{"aud": "another-client"}), idCheckError("aud")},
		"audience of wrong type": {changed(object{"aud": 7}), idCheckError("aud")},
		"issued to another":      {changed(object{"azp": "another-client"}), idCheckError("azp")},
		"another issuer":         {changed(object{"iss": "https://auth.evil.example"}), idCheckError("iss")},
		"wrong nonce":            {changed(object{"nonce": "another-login"}), idCheckError("nonce")},
		"missing nonce":          {changed(object{"nonce": nil}), idCheckError("nonce")},
		"wrong at_hash":          {changed(object{"at_hash": tokenHash("another-token")}), idCheckError("at_hash")},
		"no exp":                 {changed(object{"exp": nil}), idCheckError("exp missing")},
		"no iat":                 {changed(object{"iat": nil}), idCheckError("iat")},
		"no sub":                 {changed(object{"sub": nil}), idCheckError("sub")},
		"claim twice": {payload(func(text string) string {
			return `{"sub":"22222222-2222-4222-8222-222222222222",` + text[1:]
		}), idCheckError("duplicate")},
		"deep nesting": {payload(func(text string) string {
			return `{"deep":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "," + text[1:]
		}), idCheckError("format")},
		"1 MB": {payload(func(text string) string {
			return `{"filler":"` + strings.Repeat("x", 1<<20) + `",` + text[1:]
		}), idCheckError("size")},
		"truncated": {func(_ *provider, claims object) string {
			token := sign(signingKey(), globus, claims)
			return token[:strings.LastIndexByte(token, '.')]
		}, idCheckError("format")},
		"not a JWT": {func(*provider, object) string { return "openid_token" }, idCheckError("format")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.idToken = test.idToken
			login := start(t, p.confidential(t))
			set, _, err := login.Finish(t.Context(), p.authorize(t, login))
			if text := fmt.Sprint(err); strings.Contains(text, "set the clock") != (name == "expired") || !strings.HasSuffix(text, "start a new login)") {
				t.Errorf("what to do: %s", text)
			}
			if !refusedBy(err, test.want) {
				t.Errorf("error %v, want the check %q", err, test.want)
			}
			if len(set.All()) != 0 {
				t.Errorf("tokens %v came with a bad ID token", set)
			}
		})
	}
}

// at_hash is optional in the code flow (OpenID Connect Core section 3.1.3.6), odd display
// claims are no reason to refuse a login.
func TestLoginFinish_IDTokenThatIsNotAsGlobusAuthWritesIt(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]object{
		"no at_hash": {"at_hash": nil}, "our audience twice": {"aud": []string{clientID, clientID}},
		"odd display claims": {"name": 7, "organization": []string{"x"}, "last_authentication": "now", "identity_set": []string{"x"}},
	} {
		p := newProvider(t)
		p.idToken = func(_ *provider, claims object) string {
			maps.Copy(claims, change)
			maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
			return sign(signingKey(), object{"typ": "application/jwt", "alg": "RS512"}, claims)
		}
		login := start(t, p.confidential(t))
		if set, _, err := login.Finish(t.Context(), p.authorize(t, login)); err != nil || len(set.All()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Times within the leeway are good.
func TestLoginFinish_AllowsForClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for claim, d := range map[string]time.Duration{"exp": -299 * time.Second, "nbf": 299 * time.Second, "iat": 299 * time.Second} {
		p := newProvider(t)
		p.idToken = func(p *provider, claims object) string {
			claims[claim] = p.clock.Now().Add(d).Unix()
			return sign(signingKey(), object{"typ": "JWT", "alg": "RS512"}, claims)
		}
		login := start(t, p.confidential(t))
		if _, _, err := login.Finish(t.Context(), p.authorize(t, login)); err != nil {
			t.Errorf("%s off by %s: %v", claim, d, err)
		}
	}
}

// An ID token is verified even if it was not requested.
func TestLoginFinish_VerifiesAnIDTokenThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claims object
		want   error
	}{
		"good":             {nil, nil},
		"another audience": {object{"aud": "another-client"}, idCheckError("aud")},
		"wrong at_hash":    {object{"at_hash": tokenHash("another-token")}, idCheckError("at_hash")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.alter = func(p *provider, response object) {
				claims := p.claims("")
				maps.Copy(claims, test.claims)
				response["id_token"] = sign(signingKey(), object{"typ": "JWT", "alg": "RS512"}, claims)
			}
			portal := p.confidential(t)
			portal.Scopes = scopes.List{scopes.TransferAll}
			login := start(t, portal)
			if _, _, err := login.Finish(t.Context(), p.authorize(t, login)); !refusedBy(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestLoginFinish_FindsTheIDTokenWhereverItIs(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.alter = func(_ *provider, response object) {
		auth, transfer := object{}, response["other_tokens"].([]object)[0]
		for name, value := range response {
			if name != "other_tokens" {
				auth[name] = value
				delete(response, name)
			}
		}
		maps.Copy(response, transfer)
		response["other_tokens"] = []object{auth}
	}
	login := start(t, p.confidential(t))
	set, _, err := login.Finish(t.Context(), p.authorize(t, login))
	if err != nil {
		t.Fatal(err)
	}
	if transfer, _ := set.ByResourceServer(scopes.TransferResourceServer); transfer.IdentityID != alice {
		t.Errorf("identity %q of the token at the top", transfer.IdentityID)
	}
}

func TestLoginFinish_RefusesIDTokensOfTwoPeople(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.alter = func(p *provider, response object) {
		claims := p.claims("")
		claims["sub"], claims["at_hash"] = "another-identity", tokenHash("access-SECRET-transfer")
		other := response["other_tokens"].([]object)[0]
		claims["nonce"] = p.nonce
		other["id_token"] = sign(signingKey(), object{"typ": "JWT", "alg": "RS512"}, claims)
	}
	login := start(t, p.confidential(t))
	p.nonce = query(t, login).Get("nonce")
	if _, _, err := login.Finish(t.Context(), p.authorize(t, login)); !errors.Is(err, flows.ErrIdentity) {
		t.Errorf("error %v", err)
	}
}

func TestLoginFinish_WhileTheKeysAreDown(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.keysDown = true
	login := start(t, p.confidential(t))
	set, _, err := login.Finish(t.Context(), p.authorize(t, login))
	if !errors.Is(err, idtoken.ErrUnavailable) || len(set.All()) != 0 {
		t.Errorf("tokens %v, error %v", set, err)
	}
	if _, ok := errors.AsType[idtoken.CheckError](err); ok {
		t.Errorf("%v blames the token", err)
	}
}

// idCheckError is a check of package idtoken, by its name.
type idCheckError string

func (c idCheckError) Error() string { return string(c) }

// refusedBy reports whether err is the wanted one, which may be an idCheckError.
func refusedBy(err, want error) bool {
	if name, ok := want.(idCheckError); ok { //nolint:errorlint // The table holds it as it is.
		check, refused := errors.AsType[idtoken.CheckError](err)
		return refused && check.Error() == string(name)
	}
	return errors.Is(err, want)
}
