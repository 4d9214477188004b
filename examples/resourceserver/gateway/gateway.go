// Package gateway is an inference gateway: an API with two scopes whose users must come from certain institutions,
// satisfy policies, and be in a group for each model.
package gateway

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

// Config is who may do what.
type Config struct {
	OAuth                       flows.Config
	Inference, Admin            scopes.Scope
	Domains, Policies, Services []string
	Models                      map[string][]string // IDs of the groups that may use a model, by its name
}

type gateway struct {
	Config

	api *resourceserver.API
}

// New returns the handler of the gateway.
func New(config Config) (http.Handler, error) {
	api, err := resourceserver.New(resourceserver.Config{OAuth: config.OAuth, Rules: []resourceserver.Rule{
		resourceserver.AnyScope(config.Inference, config.Admin),
		resourceserver.Services(config.Services, resourceserver.SessionDomains(config.Domains...), resourceserver.Policies(config.Policies...)),
	}})
	if err != nil {
		return nil, err
	}
	g, mux := gateway{config, api}, http.NewServeMux()
	mux.Handle("POST /models/{model}", api.Protect(http.HandlerFunc(g.infer), resourceserver.AllScopes(config.Inference)))
	mux.Handle("DELETE /models/{model}", api.Protect(http.HandlerFunc(g.unload), resourceserver.AllScopes(config.Admin), resourceserver.Fresh(15*time.Minute)))
	return mux, nil
}

func (g gateway) infer(w http.ResponseWriter, r *http.Request) {
	ctx, caller, groups := r.Context(), resourceserver.Caller(r.Context()), g.Models[r.PathValue("model")]
	if groups == nil {
		http.NotFound(w, r)
		return
	}
	if err := caller.Require(ctx, resourceserver.AnyGroup(groups...)); err != nil {
		g.api.Deny(w, r, err)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"user": caller.Username, "identity": caller.SessionIdentity, "text": "..."})
}

func (gateway) unload(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
