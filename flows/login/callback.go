package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/globusauth/globusauth/flows"
)

const (
	maxLinked = 8
	maxData   = 4096
)

// Result is a completed login, before its session begins.
type Result struct {
	// Account is the identity that has logged in, with its new tokens.
	Account
	// Session is the browser's session so far, which may be another identity's; nil if
	// there is none.
	Session *Session
	// Link reports whether the account is added to Session, by [Web.Link]. Otherwise the
	// account's session continues, or begins in place of that of another identity.
	Link bool
	// Start is the path and query that started the login, with whatever the portal has put
	// into its query. As any address, it may come from a link on another site.
	Start *url.URL
	// Next is where the browser goes.
	Next string
	// Data is kept in the session, up to 4,096 bytes. At first it is that of the session
	// that continues. What changes between logins belongs in a database of your own.
	Data []byte
}

// Callback is served at the redirect URI. A callback works once. One that was used, or
// that does not belong to this browser, leads a person who is logged in on to the
// page. After a failure of the service the same callback may be tried again.
func (web *Web) Callback(w http.ResponseWriter, r *http.Request) {
	target, p, f := web.callback(w, r)
	if p.cookie != "" && f.Status < http.StatusInternalServerError {
		web.setCookie(w, p.cookie, "", -time.Second)
	}
	if f.Status != 0 {
		web.fail(w, r, f, p.again())
		return
	}
	redirect(w, target)
}

// callback returns where the browser goes on, or what began the login and why not.
func (web *Web) callback(w http.ResponseWriter, r *http.Request) (target string, p pending, _ Failure) {
	callback, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(callback["state"]) != 1 {
		callback = nil // it belongs to no login
	}
	used := digest("used", callback.Get("state"))
	login, p, found := web.find(r, callback.Get("state"))
	if !found {
		if mark, err := web.config.Sessions.Get(r.Context(), used); err == nil {
			_ = json.Unmarshal(mark, &p) // as written below
		}
	}
	session, err := web.Session(r)
	switch {
	case err != nil:
		return "", p, unavailable(err)
	case found && p.Session != "" && (session == nil || web.sessionKey(r) != p.Session):
		return "", p, notLinked(errEnded)
	case found:
		// Marked first: a code that is sent twice may end the tokens of the first time.
		mark, _ := json.Marshal(pending{Start: p.Start, Asked: p.Asked, Session: p.Session}) // of strings
		if found, err = web.config.Sessions.Add(r.Context(), used, mark, time.Unix(p.Expiry, 0)); err != nil {
			return "", p, unavailable(fmt.Errorf("login: callback: %w", err))
		}
	}
	if !found {
		p.cookie = "" // the request that came first may still need it
		if session != nil {
			return cmp.Or(web.next(p), web.config.Home), p, Failure{}
		}
		return "", p, failure(http.StatusBadRequest, "This login cannot be completed", "It was started in another browser, took too long, or was completed before.",
			fmt.Errorf("login: callback: %w: no such login was started in this browser, or it is too old or completed", flows.ErrState))
	}
	set, claims, err := finish(r.Context(), login, callback)
	r = r.WithContext(context.WithoutCancel(r.Context())) // what came is kept or revoked
	if err != nil {
		// Without tokens no mark is needed, and a code that was not used can be tried again.
		if _, err := web.config.Sessions.Take(r.Context(), used); err != nil { //nolint:contextcheck // see above
			web.config.OnError(r, fmt.Errorf("login: callback: %w", err))
		}
		return "", p, explain(err)
	}
	result := &Result{Account: Account{set, claims}, Session: session, Link: p.Session != "", Next: web.next(p)}
	f := web.accept(w, r, result, p)
	if f.Status != 0 {
		web.revoke(r, "keep no session", nil, set)
	}
	return result.Next, p, f
}

// accept begins a session with the result of a login, in place of that before.
func (web *Web) accept(w http.ResponseWriter, r *http.Request, result *Result, p pending) Failure {
	result.Start, _ = url.Parse(p.Start) // as keep has checked
	if before := result.Session; before != nil && (result.Link || before.owns(result.Claims)) {
		result.Data = before.Data
	}
	if _, err := result.next(result.Session, p.Asked, web.now()); err != nil {
		return notLinked(err)
	}
	if web.config.OnLogin != nil {
		shown := *result
		if err := web.config.OnLogin(r, &shown); err != nil {
			return failure(http.StatusForbidden, "No access", "You have logged in, but you may not use this site.", err)
		}
		result.Data, result.Next = shown.Data, shown.Next
	}
	if len(result.Data) > maxData {
		return notKept(fmt.Errorf("the Data of OnLogin's result has %d bytes, more than %d", len(result.Data), maxData))
	}
	before, err := web.session(r, web.config.Sessions.Take)
	if err != nil {
		return notKept(err)
	}
	session, err := result.next(before, p.Asked, web.now()) // before may have ended meanwhile
	if err != nil {
		return notLinked(err)
	}
	data, err := session.marshal()
	id, end := rand.Text(), session.since.Add(web.config.SessionTime)
	if err == nil {
		_, err = web.config.Sessions.Add(r.Context(), digest("session", id), data, end)
	}
	if err != nil {
		web.revoke(r, "end the session before", nil, before.sets()...)
		return notKept(err)
	}
	web.setCookie(w, sessionCookie, id, end.Sub(web.now()))
	web.revoke(r, "end the session before", session, before.sets()...)
	return Failure{}
}

// next is the session after a login, in place of that before; an error if an account
// cannot be added to that.
func (r *Result) next(before *Session, asked string, now time.Time) (*Session, error) {
	next := &Session{Account: r.Account, Data: r.Data, asked: asked, since: now}
	switch {
	case before != nil && before.owns(r.Claims):
		next.Tokens, next.Linked = before.Tokens.Merge(r.Tokens), before.Linked
	case !r.Link:
	case before == nil:
		return nil, errEnded
	case r.Claims == nil:
		return nil, errors.New("there are no claims; Flow.Scopes must have openid")
	default:
		*next = *before // it lasts no longer
		next.Data, next.Linked = r.Data, slices.Clone(before.Linked)
		i := slices.IndexFunc(next.Linked, func(a Account) bool { return a.owns(r.Claims) })
		switch {
		case i >= 0:
			next.Linked[i] = r.Account
		case len(next.Linked) >= maxLinked:
			return nil, fmt.Errorf("the session has %d linked accounts, as many as it may", maxLinked)
		default:
			next.Linked = append(next.Linked, r.Account)
		}
	}
	return next, nil
}
