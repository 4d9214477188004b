package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// groups asks Groups in the name of the caller.
func (g *guard) groups(address string) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) {
		set, err := g.flow.DependentTokens(r.Context(), who.token, flows.DependentOptions{
			Scopes: scopes.List{scopes.GroupsViewMyGroups},
		})
		if errors.Is(err, apierror.ErrConsentRequired) {
			require(w, "ConsentRequired", apierror.AuthorizationParameters{
				RequiredScopes: []string{string(g.scope.With(scopes.GroupsViewMyGroups))},
			})
			return
		}
		if err == nil {
			err = pass(w, r, g.flow, set, address)
		}
		if err != nil {
			slog.Error("groups", "err", err)
			respond(w, http.StatusBadGateway, map[string]string{"code": "GroupsFailed"})
		}
	}
}

// fixed is a source of one token.
type fixed struct{ token tokens.Token }

func (f fixed) Token(context.Context) (tokens.Token, error) { return f.token, nil }

// pass hands on the response of Groups to the dependent token.
func pass(w http.ResponseWriter, r *http.Request, flow flows.Config, set tokens.Set, address string) error {
	token, ok := set.ByResourceServer(scopes.GroupsResourceServer)
	if !ok {
		return errors.New("no token for Groups: the scope does not depend on it")
	}
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	client, err := flows.HTTPClient(flow.Auth, tokens.TransportConfig{Source: fixed{token}, Hosts: []string{target.Host}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(resp.StatusCode)
	_, err = io.Copy(w, io.LimitReader(resp.Body, 1<<20))
	return err
}
