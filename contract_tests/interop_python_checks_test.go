package contract_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list returns the objects of a field, which must be a list of objects.
func (r pythonResult) list(name string) []map[string]any {
	r.t.Helper()
	items, ok := r.ok()[name].([]any)
	if !ok {
		r.t.Fatalf("%s is not a list: %s", name, r.body)
	}
	var objects []map[string]any
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			r.t.Fatalf("%s holds %v", name, item)
		}
		objects = append(objects, object)
	}
	return objects
}

func pythonCount(name string, want int) func(*pythonPeer, pythonResult) {
	return func(p *pythonPeer, r pythonResult) {
		p.t.Helper()
		if got := len(r.list(name)); got != want {
			p.t.Errorf("%d %s, want %d: %s", got, name, want, r.body)
		}
	}
}

// pythonUsernames checks the identities. An IdentityMap finds a record by its exact
// ID or username.
func pythonUsernames(want ...string) func(*pythonPeer, pythonResult) {
	return func(p *pythonPeer, r pythonResult) {
		p.t.Helper()
		var got []string
		for _, identity := range r.list("identities") {
			username, _ := identity["username"].(string)
			got = append(got, username)
			if id, _ := identity["id"].(string); !uuidName.MatchString(id) {
				p.t.Errorf("id is %v", identity["id"])
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			p.t.Errorf("usernames (-want +got):\n%s", diff)
		}
	}
}

func pythonIncluded(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	pythonUsernames(pythonUser)(p, r)
	included, _ := r.ok()["included"].(map[string]any)
	providers, _ := included["identity_providers"].([]any)
	if len(providers) != 1 {
		p.t.Errorf("included: %v", included)
	}
}

func pythonDiscovery(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	for _, name := range []string{"jwks_uri", "token_endpoint", "authorization_endpoint", "userinfo_endpoint", "revocation_endpoint"} {
		text, _ := r.ok()[name].(string)
		if parsed, err := url.Parse(text); err != nil || !parsed.IsAbs() {
			p.t.Errorf("%s is %q, want an absolute URL", name, text)
		}
	}
	if algorithms, _ := r.ok()["id_token_signing_alg_values_supported"].([]any); len(algorithms) != 1 || algorithms[0] != "RS512" {
		p.t.Errorf("algorithms are %v", r.ok()["id_token_signing_alg_values_supported"])
	}
}

// pythonKey checks that PyJWT accepts the first key.
func pythonKey(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	key := r.list("keys")[0]
	if key["kty"] != "RSA" || key["alg"] != "RS512" || key["kid"] != nil {
		p.t.Errorf("the first key: %v", key)
	}
}

func pythonUserinfo(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	info := r.ok()
	if info["sub"] != id1 || info["preferred_username"] != pythonUser || info["email"] != pythonUser {
		p.t.Errorf("userinfo: %v", info)
	}
	if set, _ := info["identity_set"].([]any); len(set) != 2 {
		p.t.Errorf("identity_set: %v", info["identity_set"])
	}
}

// pythonTime is what Python 3.9 reads: no Z, and three or six digits.
var pythonTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?[+-]\d\d:\d\d$`)

// pythonConsentList checks that ConsentForest can load the list.
func pythonConsentList(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	consents := r.list("consents")
	known := map[string]bool{}
	for _, consent := range consents {
		if id, ok := consent["id"].(json.Number); ok {
			known[id.String()] = true
		}
	}
	if len(consents) == 0 {
		p.t.Error("no consents")
	}
	for _, consent := range consents {
		for _, name := range []string{
			"client", "scope", "scope_name", "effective_identity", "status", "created", "updated", "last_used",
		} {
			if text, _ := consent[name].(string); text == "" {
				p.t.Errorf("%s is %v", name, consent[name])
			}
		}
		for _, name := range []string{"allows_refresh", "auto_approved", "atomically_revocable"} {
			if _, ok := consent[name].(bool); !ok {
				p.t.Errorf("%s is %v", name, consent[name])
			}
		}
		for _, name := range []string{"created", "updated", "last_used"} {
			if text, _ := consent[name].(string); !pythonTime.MatchString(text) {
				p.t.Errorf("Python 3.9 cannot read %s = %v", name, consent[name])
			}
		}
		id, _ := consent["id"].(json.Number)
		if _, err := id.Int64(); err != nil {
			p.t.Errorf("id is %v", consent["id"])
		}
		path, _ := consent["dependency_path"].([]any)
		if len(path) == 0 || path[len(path)-1] != consent["id"] {
			p.t.Errorf("dependency_path %v does not end in %v", path, consent["id"])
		}
		for _, above := range path {
			if number, _ := above.(json.Number); !known[number.String()] {
				p.t.Errorf("dependency_path %v has an unknown parent", path)
			}
		}
	}
}

// pythonGone checks that the object was deleted.
func pythonGone(path string) func(*pythonPeer, pythonResult) {
	return func(p *pythonPeer, r pythonResult) {
		p.t.Helper()
		r.ok()
		p.get(path, "", p.token()).refusedWith(http.StatusNotFound, "NOT_FOUND")
	}
}

// pythonInstance checks the form that the Globus CLI reads. The SDK's recording
// nests it in a second "client".
func pythonInstance(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	recorded, _ := pythonRecorded(p.t, "create_native_app_instance/default").(map[string]any)
	sameFields(p.t, "", recorded["client"], r.json)
	client, _ := r.ok()["client"].(map[string]any)
	included, _ := r.ok()["included"].(map[string]any)
	credential, _ := included["client_credential"].(map[string]any)
	if client["parent_client"] != id1 || credential["client"] != client["id"] || credential["secret"] == "" {
		p.t.Errorf("client %v, credential %v", client, credential)
	}
}

func pythonChild(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	if child, _ := r.ok()["client"].(map[string]any); child["parent_client"] != clientID {
		p.t.Errorf("parent_client is %v", child["parent_client"])
	}
}

func pythonRevoked(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	if diff := cmp.Diff(map[string]any{"active": false}, r.ok()); diff != "" {
		p.t.Errorf("(-want +got):\n%s", diff)
	}
}

// pythonToken checks the fields that OAuthTokenResponse reads of a token.
func pythonToken(t *testing.T, token map[string]any) {
	t.Helper()
	for _, name := range []string{"access_token", "scope", "resource_server", "token_type"} {
		if text, _ := token[name].(string); text == "" {
			t.Errorf("%s is %v", name, token[name])
		}
	}
	seconds, _ := token["expires_in"].(json.Number)
	if lifetime, err := seconds.Int64(); err != nil || lifetime != 172800 {
		t.Errorf("expires_in is %v", token["expires_in"])
	}
}

// pythonTokens returns the tokens of a response by resource server.
func pythonTokens(r pythonResult) map[string]map[string]any {
	r.t.Helper()
	tokens := map[string]map[string]any{}
	for _, token := range append(r.list("other_tokens"), r.ok()) {
		pythonToken(r.t, token)
		server, _ := token["resource_server"].(string)
		tokens[server] = token
	}
	return tokens
}

func pythonExchanged(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	tokens := pythonTokens(r)
	token := tokens["auth.globus.org"]
	if len(tokens) != 1 || token["scope"] != "openid email" {
		p.t.Fatalf("tokens: %v", tokens)
	}
	claims := p.decodeIDToken(token["id_token"])
	if claims["aud"] != clientID || claims["sub"] != id1 || claims["iss"] != baseURL || claims["email"] != pythonUser {
		p.t.Errorf("claims: %v", claims)
	}
	for _, name := range []string{"exp", "iat"} {
		if number, _ := claims[name].(json.Number); number == "" || strings.Contains(number.String(), ".") {
			p.t.Errorf("%s is %v", name, claims[name])
		}
	}
}

// decodeIDToken checks the signature as the SDK does: always with the first key.
func (p *pythonPeer) decodeIDToken(value any) map[string]any {
	p.t.Helper()
	text, _ := value.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		p.t.Fatalf("id_token is %v", value)
	}
	decode := base64.RawURLEncoding.DecodeString
	var header map[string]any
	headerText, err := decode(parts[0])
	if err == nil {
		err = json.Unmarshal(headerText, &header)
	}
	if err != nil || header["alg"] != "RS512" || header["kid"] != nil {
		p.t.Fatalf("header %s, %v", headerText, err)
	}
	key := p.get("/jwk.json", "", "").list("keys")[0]
	number := func(name string) *big.Int {
		text, _ := key[name].(string)
		value, err := decode(text)
		if err != nil {
			p.t.Fatal(err)
		}
		return new(big.Int).SetBytes(value)
	}
	signature, err := decode(parts[2])
	if err != nil {
		p.t.Fatal(err)
	}
	hash := sha512.Sum512([]byte(parts[0] + "." + parts[1]))
	public := rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
	if err := rsa.VerifyPKCS1v15(&public, crypto.SHA512, hash[:], signature); err != nil {
		p.t.Fatalf("signature: %v", err)
	}
	payload, err := decode(parts[1])
	if err != nil {
		p.t.Fatal(err)
	}
	var claims map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(payload)))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		p.t.Fatal(err)
	}
	return claims
}

// pythonRefreshed checks for one token with a refresh token: the SDK stores the
// response as it is, even without one.
func pythonRefreshed(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	tokens := pythonTokens(r)
	if refresh, _ := r.ok()["refresh_token"].(string); len(tokens) != 1 || refresh == "" {
		p.t.Errorf("%d tokens, refresh token %v", len(tokens), r.ok()["refresh_token"])
	}
}

func pythonClientTokens(p *pythonPeer, r pythonResult) {
	p.t.Helper()
	tokens := pythonTokens(r)
	if tokens["auth.globus.org"]["scope"] != "openid" || tokens["transfer.api.globus.org"]["scope"] != "urn:globus:auth:scope:transfer.api.globus.org:all" {
		p.t.Errorf("tokens: %v", tokens)
	}
	if claims := p.decodeIDToken(r.ok()["id_token"]); claims["sub"] != clientID {
		p.t.Errorf("sub is %v", claims["sub"])
	}
}

// pythonDependent checks for a bare list of tokens.
func pythonDependent(offline bool) func(*pythonPeer, pythonResult) {
	return func(p *pythonPeer, r pythonResult) {
		p.t.Helper()
		list, ok := r.json.([]any)
		if r.status != http.StatusOK || !ok {
			p.t.Fatalf("status %d: %s", r.status, r.body)
		}
		if len(list) != 1 { // both scopes belong to one resource server
			p.t.Fatalf("%d tokens, want one", len(list))
		}
		token, _ := list[0].(map[string]any)
		pythonToken(p.t, token)
		if token["scope"] != "a b" || token["resource_server"] != pythonOwner || (token["refresh_token"] != nil) != offline {
			p.t.Errorf("token: %v", token)
		}
	}
}

func pythonIntrospected(include ...string) func(*pythonPeer, pythonResult) {
	return func(p *pythonPeer, r pythonResult) {
		p.t.Helper()
		introspection := r.ok()
		if introspection["active"] != true || introspection["sub"] != id1 || introspection["scope"] != pythonScope {
			p.t.Errorf("introspection: %v", introspection)
		}
		for _, name := range []string{"identity_set", "session_info"} {
			if _, present := introspection[name]; present != slices.Contains(include, name) {
				p.t.Errorf("%s is present: %v", name, present)
			}
		}
	}
}
