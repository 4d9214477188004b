package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/tokens"
)

// Callback is served at the redirect URI. A callback works once. One that was used, or
// that does not belong to this browser, leads a person who is logged in on to the
// page. After a failure of the service the same callback may be tried again.
func (web *Web) Callback(w http.ResponseWriter, r *http.Request) {
	secureHeader(w.Header())
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		web.fail(w, r, wrongMethod(), "")
		return
	}
	callback, err := url.ParseQuery(r.URL.RawQuery)
	state := callback["state"]
	if err != nil || len(state) != 1 {
		web.useless(w, r, "")
		return
	}
	login, p, found := web.find(r, state[0])
	if !found {
		start, _ := web.config.Sessions.Get(r.Context(), usedKey(state[0])) // empty for an unknown login
		web.useless(w, r, string(start))
		return
	}
	// Marked first: a code that is sent twice may end the tokens of the first time.
	added, err := web.config.Sessions.Add(r.Context(), usedKey(state[0]), []byte(p.Start), time.Unix(p.Expiry, 0))
	switch {
	case err != nil:
		web.fail(w, r, unavailable(fmt.Errorf("login: callback: %w", err)), p.Start)
	case !added:
		web.useless(w, r, p.Start)
	default:
		web.finish(w, r, login, p, callback)
	}
}

// useless responds to a callback that belongs to no login of this browser, or not any
// more.
func (web *Web) useless(w http.ResponseWriter, r *http.Request, start string) {
	if set, err := web.Session(r); err == nil && len(set.All()) > 0 {
		redirect(w, cmp.Or(web.next(start), web.config.Home))
		return
	}
	err := fmt.Errorf("login: callback: %w: no such login was started in this browser, or it is too old or completed", flows.ErrState)
	web.fail(w, r, failure(http.StatusBadRequest, "This login cannot be completed",
		"It was started in another browser, took too long, or was completed before.", err), start)
}

// finish finishes a login that this browser started.
func (web *Web) finish(w http.ResponseWriter, r *http.Request, login flows.Login, p pending, callback url.Values) {
	set, claims, err := finish(r.Context(), login, callback)
	if err != nil {
		// Without tokens no mark is needed, and a code that was not used can be tried again.
		if _, err := web.config.Sessions.Take(context.WithoutCancel(r.Context()), usedKey(login.State())); err != nil {
			web.report(r, fmt.Errorf("login: callback: %w", err))
		}
		f := explain(err)
		if f.Status < http.StatusInternalServerError {
			web.setCookie(w, p.cookie, "", -time.Second)
		}
		web.fail(w, r, f, p.Start)
		return
	}
	web.setCookie(w, p.cookie, "", -time.Second)
	if web.config.OnLogin != nil {
		if err := web.config.OnLogin(r, set, claims); err != nil {
			web.revoke(r, "refuse the login", tokens.Set{}, set)
			web.fail(w, r, failure(http.StatusForbidden, "No access", "You have logged in, but you may not use this site.", err), p.Start)
			return
		}
	}
	if err := web.begin(w, r, set); err != nil {
		web.fail(w, r, unavailable(fmt.Errorf("login: keep the session: %w", err)), p.Start)
		return
	}
	redirect(w, web.next(p.Start))
}

// begin starts a session, under a new random number. A session of the same
// identity in this browser is continued with the tokens of both.
func (web *Web) begin(w http.ResponseWriter, r *http.Request, set tokens.Set) error {
	ctx := context.WithoutCancel(r.Context())
	before, err := web.takeSession(ctx, r)
	if err != nil {
		web.revoke(r, "keep no session", tokens.Set{}, set)
		return err
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
		return err
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
