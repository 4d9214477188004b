// Package actionprovider protects an action provider for Globus Flows: whom it is visible to, who may run it, and who may
// monitor and manage an action are lists of principals.
package actionprovider

import (
	"net/http"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

// Provider is what the provider does.
type Provider struct {
	OAuth                    flows.Config
	Scope                    scopes.Scope
	VisibleTo, RunnableBy    []string                     // principals
	MonitoredBy, ManagedBy   func(action string) []string // principals, the creator of the action included
	Describe, Status, Cancel http.Handler
	Run                      func(w http.ResponseWriter, r *http.Request, transfer *http.Client) // acts for the caller

	api *resourceserver.API
}

// Handler returns the handler of the provider.
func (p Provider) Handler() (_ http.Handler, err error) {
	rules := []resourceserver.Rule{resourceserver.AllScopes(p.Scope)}
	if p.api, err = resourceserver.New(resourceserver.Config{OAuth: p.OAuth, Rules: rules}); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", p.api.Optional(p.allow(func(string) []string { return p.VisibleTo }, p.Describe)))
	mux.Handle("POST /run", p.api.Protect(http.HandlerFunc(p.run), resourceserver.AnyPrincipal(p.RunnableBy...)))
	mux.Handle("GET /{action}/status", p.api.Protect(p.allow(p.MonitoredBy, p.Status)))
	mux.Handle("POST /{action}/cancel", p.api.Protect(p.allow(p.ManagedBy, p.Cancel)))
	return mux, nil
}

func (p Provider) allow(principals func(action string) []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed := resourceserver.AnyPrincipal(principals(r.PathValue("action"))...)
		if err := resourceserver.Caller(r.Context()).Require(r.Context(), allowed); err != nil {
			p.api.Deny(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p Provider) run(w http.ResponseWriter, r *http.Request) {
	transfer, err := resourceserver.Caller(r.Context()).HTTPClient(r.Context(), scopes.TransferAll)
	if err != nil {
		p.api.Deny(w, r, err)
		return
	}
	p.Run(w, r, transfer)
}
