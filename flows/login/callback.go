package login

import (
	"cmp"
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
			web.fail(w, r, wrongMethod())
			return
		}
		callback, err := url.ParseQuery(r.URL.RawQuery)
		if p, found := web.find(r, callback["state"]); found && err == nil {
			web.callback(w, r, p, callback)
			return
		}
		web.useless(w, r, pending{}, errUnknownLogin)
	})
}

// useless responds to a callback that does not belong to a login, or not any more.
func (web *Web) useless(w http.ResponseWriter, r *http.Request, p pending, err error) {
	if set, err := web.Session(r); err == nil && len(set.All()) > 0 {
		redirect(w, cmp.Or(web.next(p.Start), web.config.AfterLogin))
		return
	}
	web.fail(w, r, failure(http.StatusBadRequest, "This login cannot be completed",
		"It was started in another browser, took too long, or was completed before.", err).startOver(p.Start))
}

// callback finishes a login that this browser started.
func (web *Web) callback(w http.ResponseWriter, r *http.Request, p pending, callback url.Values) {
	// Marked first: a code that is sent twice may end the tokens of the first time.
	mark := usedKey(p.login.State())
	switch added, err := web.config.Sessions.Add(r.Context(), mark, []byte("used"), time.Unix(p.Expiry, 0)); {
	case err != nil:
		web.fail(w, r, unavailable(fmt.Errorf("login: callback: %w", err)).startOver(p.Start))
		return
	case !added:
		web.useless(w, r, p, errUsed)
		return
	}
	set, claims, err := finish(r.Context(), p.login, callback)
	if err != nil {
		// Nothing came of it: no mark is needed, and a code that was not used can be tried again.
		if _, err := web.config.Sessions.Take(context.WithoutCancel(r.Context()), mark); err != nil {
			web.report(r, fmt.Errorf("login: callback: %w", err))
		}
		f := explain(err)
		if f.Status < http.StatusInternalServerError {
			web.setCookie(w, p.name, "", -time.Second)
		}
		web.fail(w, r, f.startOver(p.Start))
		return
	}
	web.setCookie(w, p.name, "", -time.Second)
	if web.config.OnLogin != nil {
		if err := web.config.OnLogin(r, set, claims); err != nil {
			web.revoke(r, "refuse the login", tokens.Set{}, set)
			web.fail(w, r, failure(http.StatusForbidden, "No access",
				"You have logged in, but you may not use this site.", err).startOver(p.Start))
			return
		}
	}
	if err := web.begin(w, r, set); err != nil {
		web.fail(w, r, unavailable(err).startOver(p.Start))
		return
	}
	redirect(w, web.next(p.Start))
}

// begin starts a session, under a new random number. A session of the same
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
