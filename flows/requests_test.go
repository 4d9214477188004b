package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Our requests are those of the official Python SDK.
func TestConfig_RequestsOfPythonSDK(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Records []struct {
			Label, Path string
			Query, Form [][2]string
			Headers     map[string]string
		}
	}
	readJSON(t, "sdk_recorded_requests.json", &recorded)
	const redirect = "https://app.example/cb"
	rt := tokens.Token{RefreshToken: "rt"}
	type doing func(ctx context.Context, native flows.Config, portal flows.Config) error
	finish := func(ctx context.Context, login flows.Login, err error) error {
		if err != nil {
			return err
		}
		target, err := url.Parse(login.URL())
		if err != nil {
			return err
		}
		_, _, err = login.Finish(ctx, url.Values{"code": {"CODE"}, "state": target.Query()["state"]})
		return err
	}
	ours := map[string]doing{
		"NativeAppAuthClient.oauth2_refresh_token": func(ctx context.Context, n flows.Config, _ flows.Config) error {
			_, err := n.Refresh(ctx, rt)
			return err
		},
		"NativeAppAuthClient.oauth2_revoke_token": func(ctx context.Context, n flows.Config, _ flows.Config) error {
			return n.Revoke(ctx, "tok")
		},
		"AuthLoginClient.oauth2_revoke_token": func(ctx context.Context, n flows.Config, _ flows.Config) error {
			return n.Revoke(ctx, "tok")
		},
		"NativeAppAuthClient.oauth2_exchange_code_for_tokens": func(ctx context.Context, n flows.Config, _ flows.Config) error {
			login, err := n.Start()
			return finish(ctx, login, err)
		},
		"ConfidentialAppAuthClient.oauth2_exchange_code_for_tokens": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			login, err := c.Start()
			return finish(ctx, login, err)
		},
		"ConfidentialAppAuthClient.oauth2_refresh_token": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.Refresh(ctx, rt)
			return err
		},
		"ConfidentialAppAuthClient.oauth2_revoke_token": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			return c.Revoke(ctx, "tok")
		},
		"ConfidentialAppAuthClient.oauth2_client_credentials_tokens(list)": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			c.Scopes = scopes.List{scopes.AuthOpenID, scopes.TransferAll}
			_, err := c.ClientCredentials(ctx)
			return err
		},
		"ConfidentialAppAuthClient.oauth2_get_dependent_tokens()": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.DependentTokens(ctx, "tok", flows.DependentOptions{})
			return err
		},
		"ConfidentialAppAuthClient.oauth2_get_dependent_tokens(refresh, scope)": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.DependentTokens(ctx, "tok", flows.DependentOptions{RefreshTokens: true, Scopes: scopes.List{"a", "b"}})
			return err
		},
		"ConfidentialAppAuthClient.oauth2_token_introspect()": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.Introspect(ctx, "tok", flows.IntrospectOptions{})
			return err
		},
		"ConfidentialAppAuthClient.oauth2_token_introspect(include=str)": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.Introspect(ctx, "tok", flows.IntrospectOptions{IdentitySet: true, SessionInfo: true})
			return err
		},
		"ConfidentialAppAuthClient.oauth2_token_introspect(query_params)": func(ctx context.Context, _ flows.Config, c flows.Config) error {
			_, err := c.Introspect(ctx, "tok", flows.IntrospectOptions{}, globusauth.WithQuery("foo", "bar"))
			return err
		},
	}
	elsewhere := map[string]string{
		"AuthLoginClient.oauth2_token(form dict)":                         "the generated operation globusauth.Client.Token",
		"AuthLoginClient.oauth2_refresh_token":                            "a client that does not say who it is",
		"ConfidentialAppAuthClient.oauth2_token_introspect(include=list)": "sends a parameter twice, which is a fault",
	}
	for _, r := range recorded.Records {
		do, ok := ours[r.Label]
		if !ok {
			if elsewhere[r.Label] == "" {
				t.Errorf("%s: no counterpart", r.Label)
			}
			continue
		}
		t.Run(r.Label, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.respond = func(r received) (int, any) {
				if r.path != "/v2/oauth2/token" {
					return http.StatusOK, object{"active": false}
				}
				return http.StatusOK, object{
					"access_token": "a", "resource_server": "r", "scope": "s", "expires_in": 1, "token_type": "Bearer", "other_tokens": []object{},
				}
			}
			native, portal := p.native(t), p.confidential(t)
			native.Scopes, portal.Scopes = scopes.List{"s"}, scopes.List{"s"}
			portal.ClientSecret, portal.RedirectURI = "SECRET", redirect
			if err := do(t.Context(), native, portal); err != nil {
				t.Fatal(err)
			}
			got := p.last(t)
			want := url.Values{}
			for _, pair := range r.Form {
				want.Add(pair[0], strings.ReplaceAll(pair[1], "https://auth.globus.org/", p.URL+"/"))
			}
			if strings.Contains(r.Label, "exchange_code") {
				want["code_verifier"] = got.form["code_verifier"] // random, and PKCE is always there
			}
			if diff := cmp.Diff(want, got.form); diff != "" || got.path != r.Path {
				t.Errorf("path %s, want %s; form:\n%s", got.path, r.Path, diff)
			}
			wantQuery := url.Values{}
			for _, pair := range r.Query {
				wantQuery.Add(pair[0], pair[1])
			}
			if diff := cmp.Diff(wantQuery, got.query); diff != "" {
				t.Errorf("query:\n%s", diff)
			}
			for _, name := range []string{"Accept", "Content-Type", "Authorization"} {
				if got.header.Get(name) != r.Headers[name] {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), r.Headers[name])
				}
			}
		})
	}
}
