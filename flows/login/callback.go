package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/tokens"
)

var (
	errMethod       = errors.New("login: the method is not allowed")
	errUnknownLogin = fmt.Errorf("login: callback: %w: no such login was started in this browser, or it is too old", flows.ErrState)
	errUsed         = fmt.Errorf("login: callback: %w: it was used before", flows.ErrState)
)

// Callback is the handler for the redirect URI. A callback works once. One that was
// used, or that does not belong to this browser, leads a person who is logged in on
// to the site. After a failure of the service the same callback may be tried again.
func (web *Web) Callback() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeader(w.Header())
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			web.fail(w, r, Failure{
				Status: http.StatusMethodNotAllowed, Title: "Method not allowed",
				Message: "This address is for browsers that come back from the login.", Err: errMethod,
			})
			return
		}
		callback, err := url.ParseQuery(r.URL.RawQuery)
		state := callback["state"]
		if err != nil || len(state) != 1 {
			web.repeated(w, r, web.config.AfterLogin, Failure{Err: errUnknownLogin})
			return
		}
		p, found := web.find(r, state[0])
		next, ok := web.next(p.Start)
		if !found || !ok {
			web.repeated(w, r, web.config.AfterLogin, Failure{Err: errUnknownLogin})
			return
		}
		web.callback(w, r, p, callback, next)
	})
}

// repeated responds to a callback that is not, or no longer, that of a login.
func (web *Web) repeated(w http.ResponseWriter, r *http.Request, next string, failure Failure) {
	if set, err := web.Session(r); err == nil && len(set.All()) > 0 {
		redirect(w, next)
		return
	}
	if failure.Link == "" {
		failure.Link, failure.LinkText = web.config.AfterLogin, "Continue"
	}
	failure.Status, failure.Title = http.StatusBadRequest, "This login cannot be completed"
	failure.Message = "It was started in another browser, took too long, or was completed before."
	web.fail(w, r, failure)
}

// callback finishes a login that this browser started.
func (web *Web) callback(w http.ResponseWriter, r *http.Request, p pending, callback url.Values, next string) {
	// Marked first: a code that is sent twice may end the tokens of the first time.
	mark := usedKey(p.login.State())
	added, err := web.config.Sessions.Add(r.Context(), mark, []byte("used"), time.Unix(p.Expiry, 0))
	switch {
	case err != nil:
		web.fail(w, r, unavailable(p.Start, fmt.Errorf("login: callback: %w", err)))
		return
	case !added:
		web.repeated(w, r, next, Failure{Link: p.Start, Err: errUsed})
		return
	}
	set, err := finish(r.Context(), p.login, callback)
	if err != nil {
		failure := explain(err)
		failure.Link = p.Start
		// Nothing came of it: no mark is needed, and a code that was not used can be tried again.
		if _, err := web.config.Sessions.Take(context.WithoutCancel(r.Context()), mark); err != nil {
			web.report(r, fmt.Errorf("login: callback: %w", err))
		}
		if failure.Status < http.StatusInternalServerError {
			web.setCookie(w, p.name, "", -time.Second)
		}
		web.fail(w, r, failure)
		return
	}
	web.setCookie(w, p.name, "", -time.Second)
	if web.config.OnLogin != nil {
		if err := web.config.OnLogin(r, set); err != nil {
			web.revoke(r, "refuse the login", tokens.Set{}, set)
			web.fail(w, r, Failure{
				Status: http.StatusForbidden, Title: "No access", Link: p.Start,
				Message: "You have logged in, but you may not use this site.", Err: err,
			})
			return
		}
	}
	if err := web.begin(w, r, set); err != nil {
		web.fail(w, r, unavailable(p.Start, err))
		return
	}
	redirect(w, next)
}

// begin starts a session, under a number that nobody knew before. A session of the same
// identity in this browser is continued with the tokens of both.
func (web *Web) begin(w http.ResponseWriter, r *http.Request, set tokens.Set) error {
	ctx := context.WithoutCancel(r.Context())
	var before tokens.Set
	if old, found := web.cookie(r, sessionCookie); found {
		data, err := web.config.Sessions.Take(ctx, sessionKey(old))
		if err != nil {
			web.revoke(r, "keep no session", tokens.Set{}, set)
			return fmt.Errorf("login: end the session before: %w", err)
		}
		if before, err = readSet(data); err != nil {
			web.report(r, err)
		}
	}
	kept := set
	if who := identity(set); who != "" && who == identity(before) {
		kept = before.Merge(set)
	}
	data, err := kept.MarshalStorage()
	id := rand.Text()
	if err == nil {
		_, err = web.config.Sessions.Add(ctx, sessionKey(id), data, web.now().Add(web.config.SessionTime))
	}
	if err != nil {
		web.revoke(r, "keep no session", tokens.Set{}, set, before)
		return fmt.Errorf("login: keep the session: %w", err)
	}
	web.setCookie(w, sessionCookie, id, web.config.SessionTime)
	web.revoke(r, "end the session before", kept, before)
	return nil
}

// identity is whose tokens a set holds; empty if no ID token told.
func identity(set tokens.Set) string {
	for _, token := range set.All() {
		if token.IdentityID != "" {
			return token.IdentityID
		}
	}
	return ""
}
