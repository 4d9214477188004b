package main

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

// caller is who sent a request, with the token they sent.
type caller struct {
	flows.Introspection
	token string
}

type handler func(w http.ResponseWriter, r *http.Request, who caller)

// guard lets requests through whose token is good.
type guard struct {
	flow   flows.Config
	scope  scopes.Scope
	policy string
	maxAge time.Duration
}

func (g *guard) protect(next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			refuse(w, http.StatusUnauthorized, "")
			return
		}
		options := flows.IntrospectOptions{IdentitySet: true, SessionInfo: true}
		if g.policy != "" {
			options.Policies = []string{g.policy}
		}
		info, err := g.flow.Introspect(r.Context(), token, options)
		switch {
		case err != nil:
			slog.Error("introspect", "err", err) // holds no secret
			respond(w, http.StatusServiceUnavailable, map[string]string{"code": "TryAgain"})
		case !info.Active || !slices.Contains(info.Aud, g.flow.ClientID):
			refuse(w, http.StatusUnauthorized, "invalid_token")
		case !info.HasScope(g.scope):
			refuse(w, http.StatusForbidden, "insufficient_scope")
		default:
			next(w, r, caller{*info, token})
		}
	})
}

// fresh asks for a login that is not too old, and for the policy.
func (g *guard) fresh(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) {
		login, inSession := who.SessionInfo.Authentications[who.Sub]
		switch {
		case g.policy != "" && !who.PolicyEvaluations[g.policy].Evaluation:
			require(w, "AuthorizationRequired", apierror.AuthorizationParameters{
				SessionMessage: "Reports need the policy of the laboratory.", SessionRequiredPolicies: []string{g.policy}, Prompt: "login",
			})
		case !inSession || g.flow.Auth.Now().Sub(login.AuthTime.Time) > g.maxAge:
			require(w, "AuthorizationRequired", apierror.AuthorizationParameters{
				SessionMessage: "Reports need a recent login.", SessionRequiredIdentities: []string{who.Sub}, Prompt: "login",
			})
		default:
			next(w, r, who)
		}
	}
}

// require asks the caller's program for another login, in the form that every Globus
// client understands (GARE).
func require(w http.ResponseWriter, code string, parameters apierror.AuthorizationParameters) {
	respond(w, http.StatusForbidden, apierror.Requirement{Code: code, Parameters: parameters})
}

// refuse responds as RFC 6750 section 3 says.
func refuse(w http.ResponseWriter, status int, code string) {
	challenge := `Bearer realm="api"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	respond(w, status, map[string]string{"code": http.StatusText(status)})
}
