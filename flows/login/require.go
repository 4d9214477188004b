package login

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
)

const (
	checkTime    = 30 * time.Second // how long an introspection is used
	checkTimeout = 10 * time.Second
	// loopTime is how soon after a login a page that asks for the same again is refused: no
	// login meets it, and the browser would go in circles.
	loopTime = 20 * time.Second
)

// Demand is what a page requires of the session at Globus, in addition to a login. Its
// fields are the rules of the same names in package resourceserver: one authentication
// must meet Fresh, MFA and SessionDomains together.
type Demand struct {
	// Fresh requires an authentication that is at most this old. Zero means any age.
	Fresh time.Duration
	// MFA requires multi-factor authentication.
	MFA bool
	// SessionDomains requires an identity whose username is in one of these domains, such
	// as "example.edu".
	SessionDomains []string
	// Policies are the IDs of authentication policies that must all be satisfied.
	Policies []string
}

// parameters are what a login must do to meet the demand.
func (d Demand) parameters() apierror.AuthorizationParameters {
	p := apierror.AuthorizationParameters{SessionRequiredSingleDomain: d.SessionDomains, SessionRequiredPolicies: d.Policies}
	if d.Fresh != 0 {
		p.Prompt = "login"
	}
	if d.MFA {
		p.SessionRequiredMFA = &d.MFA
	}
	return p
}

// ofAuthentication reports whether one authentication must meet the demand.
func (d Demand) ofAuthentication() bool { return d.Fresh != 0 || d.MFA || len(d.SessionDomains) > 0 }

// met reports whether what the service said of a session meets the demand.
func (d Demand) met(found *gen.Introspection, now time.Time) bool {
	for _, id := range d.Policies {
		if !found.PolicyEvaluations[id].Evaluation {
			return false
		}
	}
	// Another person may have logged in at Globus since: only linked identities count.
	usernames := map[string]string{}
	for _, linked := range found.IdentitySetDetail {
		usernames[strings.ToLower(cmp.Or(linked.Sub, linked.ID))] = linked.Username
	}
	usernames[strings.ToLower(found.Sub)] = found.Username
	met := !d.ofAuthentication()
	for id, a := range found.SessionInfo.Authentications {
		username, linked := usernames[strings.ToLower(id)]
		_, domain, hasDomain := strings.Cut(username, "@")
		inDomain := len(d.SessionDomains) == 0 ||
			hasDomain && slices.ContainsFunc(d.SessionDomains, func(allowed string) bool { return strings.EqualFold(allowed, domain) })
		met = met || linked && inDomain && (d.Fresh == 0 || now.Sub(a.AuthTime.Time) <= d.Fresh) && (!d.MFA || slices.Contains(a.AMR, "mfa"))
	}
	return met
}

// Require returns the session of the browser if it meets the demand. Otherwise it
// responds and returns false: it sends the browser to a login that asks for what is
// demanded, and that comes back to the page. The zero Demand is met by any login.
//
//	session, ok := web.Require(w, r, login.Demand{Fresh: 15 * time.Minute, MFA: true})
//	if !ok {
//		return
//	}
//
// The service itself is asked whether the demand is met, since a browser can leave out of
// a login what was asked for: by an introspection of the session's token, which is kept
// for 30 s. It needs openid in Flow.Scopes. If the service does not respond, the request
// is not served. A login that does not meet the demand begins a session like any other,
// but the page is not served.
//
// A request that does not open a page, such as a POST or one of a script or of a program
// that accepts only JSON, gets status 401 without a session, else 403.
func (web *Web) Require(w http.ResponseWriter, r *http.Request, demand Demand) (*Session, bool) {
	session, err := web.Session(r)
	if err == nil && session != nil && (demand.ofAuthentication() || len(demand.Policies) > 0) {
		session.Introspection, err = web.check(r, session, demand.Policies)
	}
	switch {
	case err != nil:
		f := explain(err)
		f.Title, f.Message = "This page does not work right now", "Your login could not be checked. Please try again in a moment."
		web.fail(w, r, f, "")
	case session != nil && (session.Introspection == nil || demand.met(session.Introspection, web.now())):
		return session, true
	default:
		web.Login(w, r, demand.parameters())
	}
	return nil, false
}

// check returns what the service says of the token of a session. It says nothing of one
// that has ended.
func (web *Web) check(r *http.Request, session *Session, policies []string) (_ *gen.Introspection, err error) {
	defer prefix.Add(&err, "login: check session")
	token, found := session.Tokens.ByResourceServer(scopes.AuthResourceServer)
	if !found {
		return nil, errors.New("there is no token for auth.globus.org; Flow.Scopes must have openid")
	}
	key := digest("check", web.sessionKey(r)+" "+strings.Join(slices.Sorted(slices.Values(policies)), " "))
	checked := new(gen.Introspection)
	data, err := web.config.Sessions.Get(r.Context(), key)
	if err != nil || data != nil && json.Unmarshal(data, checked) == nil {
		return checked, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	checked, err = web.config.Flow.Introspect(ctx, token.AccessToken, flows.IntrospectOptions{IdentitySetDetail: true, SessionInfo: true, Policies: policies})
	if err != nil {
		return nil, err
	}
	data, _ = json.Marshal(checked)                                                              //nolint:errchkjson // it was JSON
	if _, err := web.config.Sessions.Add(ctx, key, data, web.now().Add(checkTime)); err != nil { // it costs time only
		web.config.OnError(r, fmt.Errorf("login: keep what the service said of the session: %w", err))
	}
	return checked, nil
}

// Login sends the browser to a login that asks for what a service has demanded, in the
// Authorization of an *apierror.Error, and that comes back to the page. Soon after a
// login for the same it responds with status 403, so that a browser does not go in
// circles. Requests that do not open a page get the responses of [Web.Require].
func (web *Web) Login(w http.ResponseWriter, r *http.Request, parameters apierror.AuthorizationParameters) {
	session, err := web.Session(r)
	if err != nil {
		web.fail(w, r, unavailable(err), "")
		return
	}
	text, _ := json.Marshal(parameters) //nolint:errchkjson // of texts and a bool
	p := pending{Start: r.RequestURI, Asked: digest("asked", string(text))}
	status, title := http.StatusForbidden, "A new login is required"
	if session == nil {
		status, title = http.StatusUnauthorized, "You are not logged in"
	}
	switch {
	case !opensPage(r):
		web.fail(w, r, failure(status, title, "Please log in again, and then repeat what you wanted to do.", errLogin), "")
	case session != nil && session.asked == p.Asked && web.now().Sub(session.since) < loopTime:
		web.fail(w, r, failure(status, "This login is not sufficient", "This page requires a login in another way than you have chosen.", errLogin), p.again())
	default:
		web.start(w, r, p, flows.WithAuthorization(parameters))
	}
}

// opensPage reports whether a browser sends the request to show its response as a page.
func opensPage(r *http.Request) bool {
	destination := r.Header.Get("Sec-Fetch-Dest") // of old browsers empty
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !wantsJSON(r) && (destination == "" || destination == "document")
}
