package flows_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// recording is a recorded response.
type recording struct {
	Case     string
	Response struct {
		Status int
		JSON   json.RawMessage
	}
}

// recorded makes the provider return a recorded response.
func (p *provider) recorded(tb testing.TB, file, name string) {
	tb.Helper()
	var all []recording
	readJSON(tb, file, &all)
	for _, r := range all {
		if r.Case == name {
			p.respond = func(received) (int, any) { return r.Response.Status, string(r.Response.JSON) }
			return
		}
	}
	tb.Fatalf("%s has no case %q", file, name)
}

func TestConfig_BasicAuthorizationVectors(t *testing.T) {
	t.Parallel()
	var vectors struct {
		Basic []struct{ User, Password, Header string }
	}
	readJSON(t, "vectors.json", &vectors)
	p := newProvider(t)
	p.respond = func(received) (int, any) { return http.StatusOK, object{"active": false} }
	for _, v := range vectors.Basic {
		portal := p.confidential(t)
		portal.ClientID, portal.ClientSecret = v.User, v.Password
		if err := portal.Revoke(t.Context(), "tok"); err != nil {
			t.Fatal(err)
		}
		if got := p.last(t).header.Get("Authorization"); got != v.Header {
			t.Errorf("%s: %s, want %s", v.User, got, v.Header)
		}
	}
	if len(vectors.Basic) != 2 {
		t.Errorf("%d vectors", len(vectors.Basic))
	}
}

// Credentials of the caller's client are another client's.
func TestConfig_CredentialsOfClientAreNotSent(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = refreshed(nil)
	native, portal := p.native(t), p.confidential(t)
	native.Auth = native.Auth.WithCredentials(globusauth.Basic("another", "another-SECRET"))
	portal.Auth = portal.Auth.WithCredentials(globusauth.Bearer("another-SECRET"))
	if _, err := native.Refresh(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	if header := p.last(t).header.Get("Authorization"); header != "" {
		t.Errorf("native: Authorization %q", header)
	}
	if _, err := portal.Refresh(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	if user, _, _ := (&http.Request{Header: p.last(t).header}).BasicAuth(); user != clientID {
		t.Errorf("confidential: Basic of %q", user)
	}
}

func TestConfigRevoke_Responses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.recorded(t, "oauth2_revoke_token.json", "default")
	if err := p.native(t).Revoke(t.Context(), "tok"); err != nil {
		t.Error(err)
	}
	if err := p.confidential(t).Revoke(t.Context(), "tok", globusauth.WithBodyField("token_type_hint", "refresh_token")); err != nil {
		t.Error(err)
	}
	if hint := p.last(t).form.Get("token_type_hint"); hint != "refresh_token" {
		t.Errorf("hint %q", hint)
	}
	if err := p.native(t).Revoke(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty token: %v", err)
	}
	// The status says everything (RFC 7009 section 2.2).
	for _, response := range []struct {
		status int
		body   string
	}{{http.StatusOK, ""}, {http.StatusOK, "{}"}, {http.StatusOK, "null"}, {http.StatusOK, `"revoked"`}, {http.StatusNoContent, ""}} {
		p.respond = func(received) (int, any) { return response.status, response.body }
		if err := p.native(t).Revoke(t.Context(), "tok"); err != nil {
			t.Errorf("status %d with body %q: %v", response.status, response.body, err)
		}
	}
	p.respond = func(received) (int, any) { return http.StatusOK, object{"active": true} }
	if err := p.native(t).Revoke(t.Context(), "tok"); !errors.Is(err, globusauth.ErrMalformedResponse) {
		t.Errorf("a token that is still active: %v", err)
	}
	p.respond = func(received) (int, any) { return http.StatusUnauthorized, object{"error": "invalid_client"} }
	if err := p.confidential(t).Revoke(t.Context(), "tok"); !errors.Is(err, apierror.ErrInvalidClient) {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestConfigRevokeSet(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = func(r received) (int, any) {
		if r.form.Get("token") == "A2" {
			return http.StatusServiceUnavailable, ""
		}
		return http.StatusOK, object{"active": false}
	}
	one := func(n string) tokens.Token {
		return tokens.Token{AccessToken: "A" + n, RefreshToken: "R" + n, ResourceServer: "server-" + n}
	}
	kept := one("3")
	kept.AccessToken = "newer"
	left, err := p.native(t).RevokeSet(t.Context(), tokens.Salvage([]tokens.Token{one("1"), one("2"), one("3"), {AccessToken: "A4", ResourceServer: "server-4"}}),
		tokens.Salvage([]tokens.Token{kept}))
	if !errors.Is(err, apierror.ErrServer) || !strings.Contains(err.Error(), `token for "server-2"`) || !left.Equal(tokens.Salvage([]tokens.Token{one("2")})) {
		t.Errorf("left %v, %v", left, err)
	}
	var sent []string
	for _, r := range p.received() {
		sent = append(sent, r.form.Get("token"))
	}
	if got := strings.Join(slices.Compact(sent), " "); got != "A1 R1 A2 R2 A3 A4" {
		t.Errorf("revoked %s", got)
	}
	if left, err = (flows.Config{}).RevokeSet(t.Context(), left); err == nil || len(left.All()) != 1 {
		t.Errorf("without a client: %v, %v", left, err)
	}
}

// Calls that share a slice of options do not write into it.
func TestConfigClientCredentials_KeepsOptions(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	service := p.confidential(t)
	p.recorded(t, "oauth2_client_credentials_tokens.json", "default")
	options := make([]globusauth.CallOption, 0, 1)
	if _, err := service.ClientCredentials(t.Context(), options...); err != nil {
		t.Fatal(err)
	}
	if options[:1][0] != nil {
		t.Error("the caller's slice has another option")
	}
}

func TestConfigClientCredentials_Responses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	service := p.confidential(t)
	service.Scopes = scopes.List{scopes.TransferAll}
	p.recorded(t, "oauth2_client_credentials_tokens.json", "default")
	set, err := service.ClientCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token, _ := set.ByResourceServer(scopes.TransferResourceServer); token.AccessToken != "DUMMY_TRANSFER_TOKEN_FROM_THE_INTERTUBES" || token.Lifetime != 48*time.Hour {
		t.Errorf("token %v", token)
	}
	if token, _ := set.ByResourceServer(scopes.TransferResourceServer); token.IdentityID != clientID {
		t.Errorf("identity %q, want the client's own", token.IdentityID)
	}
	p.recorded(t, "oauth2_client_credentials_tokens.json", "openid") // its ID token is invalid
	set, err = service.ClientCredentials(t.Context())
	if _, has := set.IDToken(); err != nil || has || len(set.All()) == 0 || len(set.Problems()) != 1 {
		t.Errorf("a bad ID token: %v with it: %t, %v, %v", set, has, set.Problems(), err)
	}
	claims := p.claims("")
	claims["sub"] = clientID
	p.respond = func(received) (int, any) {
		return http.StatusOK, object{
			"access_token": "access-SECRET-auth", "resource_server": "auth.globus.org", "scope": "openid", "expires_in": 60, "token_type": "Bearer",
			"id_token": sign(signingKey(), object{"alg": "RS512"}, claims), "other_tokens": []object{},
		}
	}
	if set, err = service.ClientCredentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if token, _ := set.ByResourceServer(scopes.AuthResourceServer); token.IdentityID != clientID {
		t.Errorf("identity %q, want the client's own", token.IdentityID)
	}
	claims["sub"] = alice
	if set, err = service.ClientCredentials(t.Context()); !errors.Is(err, flows.ErrIdentity) || len(set.All()) != 0 || !slices.Equal(p.revoked(), []string{"access-SECRET-auth"}) {
		t.Errorf("a person's token: %v, %v; revoked %q", set, err, p.revoked())
	}
	p.recorded(t, "oauth2_token_extra.json", "basic_auth_failed")
	if _, err := service.ClientCredentials(t.Context()); !errors.Is(err, apierror.ErrInvalidClient) {
		t.Errorf("a wrong secret: %v", err)
	}
	service.Scopes = nil
	if _, err := service.ClientCredentials(t.Context()); !errors.Is(err, scopes.ErrEmpty) {
		t.Errorf("no scopes: %v", err)
	}
}

func TestConfigDependentTokens_Responses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	server := p.confidential(t)
	for name, file := range map[string]string{"groups": "oauth2_get_dependent_tokens.json", "groups_with_refresh_token": "oauth2_get_dependent_tokens.json", "dependent_groups": "oauth2_token_extra.json"} {
		p.recorded(t, file, name)
		set, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{})
		if err != nil {
			t.Fatal(err)
		}
		token, ok := set.ByResourceServer(scopes.GroupsResourceServer)
		if !ok || token.Scope != string(scopes.GroupsViewMyGroups) || token.Expiry.Before(p.clock.Now().Add(2*time.Minute)) {
			t.Errorf("%s: %v", name, token)
		}
		if hasRefresh := token.RefreshToken != ""; hasRefresh == (name == "groups") {
			t.Errorf("%s: refresh token there: %t", name, hasRefresh)
		}
	}
	p.recorded(t, "oauth2_token_extra.json", "dependent_empty")
	if set, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{}); err != nil || len(set.All()) != 0 {
		t.Errorf("no dependent scopes: %v, %v", set, err)
	}
	p.recorded(t, "oauth2_token_extra.json", "invalid_grant_400")
	if _, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{}); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("a dead token: %v", err)
	}
	p.respond = func(received) (int, any) {
		return http.StatusForbidden, object{
			"error": "dependent_consent_required", "errors": []object{{"unapproved_scopes": []string{string(scopes.GroupsViewMyGroups)}}},
		}
	}
	_, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{})
	failure, ok := errors.AsType[*apierror.Error](err)
	if !errors.Is(err, apierror.ErrConsentRequired) || !ok || !cmp.Equal(failure.Authorization.RequiredScopes, []string{string(scopes.GroupsViewMyGroups)}) {
		t.Errorf("no consent: %v", err)
	}
	// What such an error demands is what a login can ask for.
	login := start(t, p.native(t), flows.WithAuthorization(*failure.Authorization))
	if !strings.Contains(query(t, login).Get("scope"), string(scopes.GroupsViewMyGroups)) {
		t.Errorf("scope %q", query(t, login).Get("scope"))
	}
	if _, err := server.DependentTokens(t.Context(), "", flows.DependentOptions{}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty token: %v", err)
	}
	if _, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{Scopes: scopes.List{"a b"}}); !errors.Is(err, scopes.ErrSyntax) {
		t.Errorf("a malformed scope: %v", err)
	}
	p.respond = func(received) (int, any) {
		return http.StatusOK, []object{{"access_token": "a", "resource_server": "r", "scope": "s", "expires_in": 1, "token_type": "bearer", "id_token": "forged"}}
	}
	set, err := server.DependentTokens(t.Context(), "tok", flows.DependentOptions{})
	if token, _ := set.ByResourceServer("r"); token.IdentityID != "" {
		t.Errorf("identity %q of a token for an unknown caller", token.IdentityID)
	}
	if _, has := set.IDToken(); has || err != nil {
		t.Errorf("an unverified ID token was kept: %t, %v", has, err)
	}
}

// Every call ends with its context.
func TestConfig_CanceledContext(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	native, portal := p.native(t), p.confidential(t)
	login := start(t, native)
	for name, call := range map[string]func() error{
		"Finish":            func() error { _, _, err := login.Finish(ctx, p.authorize(t, login)); return err },
		"FinishCode":        func() error { _, _, err := login.FinishCode(ctx, "code"); return err },
		"Refresh":           func() error { _, err := native.Refresh(ctx, current); return err },
		"Revoke":            func() error { return portal.Revoke(ctx, "tok") },
		"ClientCredentials": func() error { _, err := portal.ClientCredentials(ctx); return err },
		"DependentTokens":   func() error { _, err := portal.DependentTokens(ctx, "tok", flows.DependentOptions{}); return err },
		"Introspect":        func() error { _, err := portal.Introspect(ctx, "tok", flows.IntrospectOptions{}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.received()) != 0 {
		t.Errorf("%d requests", len(p.received()))
	}
}

// What a package below reports has the prefix of this package alone.
func TestConfig_OnePrefix(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	native := p.native(t)
	native.Scopes = scopes.List{"a[b"}
	_, malformed := native.Start()
	_, source := native.Source(tokens.RefreshingConfig{})
	p.idToken = func(*provider, object) string { return "x" }
	login := start(t, p.confidential(t))
	_, _, finish := login.Finish(t.Context(), p.authorize(t, login))
	p.Close()
	for want, err := range map[string]error{
		"flows: start login: list element 0 ": malformed, "flows: token source: new refreshing source: ": source,
		"flows: finish login: verify: format: ": finish, "flows: revoke token: Revoke: cannot reach ": native.Revoke(t.Context(), "token"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %q", err, want)
		}
	}
}
