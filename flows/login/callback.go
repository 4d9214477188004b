package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/flows"
)

// Callback is served at the redirect URI. A callback works once. One that was used, or
// that does not belong to this browser, leads a person who is logged in on to the
// page. After a failure of the service the same callback may be tried again.
func (web *Web) Callback(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		web.fail(w, r, wrongMethod(), "")
		return
	}
	callback, err := url.ParseQuery(r.URL.RawQuery)
	state := callback["state"]
	if err != nil || len(state) != 1 {
		web.useless(w, r, trigger{})
		return
	}
	login, p, found := web.find(r, state[0])
	if !found {
		p.trigger = web.used(r, state[0])
		web.useless(w, r, p.trigger)
		return
	}
	if p.From == fromLink && !web.isSession(r, p.Session) {
		web.setCookie(w, p.cookie, "", -time.Second)
		web.fail(w, r, notLinked(errEnded), "")
		return
	}
	// Marked first: a code that is sent twice may end the tokens of the first time.
	mark, _ := json.Marshal(p.trigger) // of strings
	added, err := web.config.Sessions.Add(r.Context(), usedKey(state[0]), mark, time.Unix(p.Expiry, 0))
	switch {
	case err != nil:
		web.fail(w, r, unavailable(fmt.Errorf("login: callback: %w", err)), p.again())
	case !added:
		web.useless(w, r, p.trigger)
	default:
		web.finish(w, r, login, p, callback)
	}
}

// isSession reports whether the browser has the session with this key.
func (web *Web) isSession(r *http.Request, key string) bool {
	session, err := web.Session(r)
	now, _ := web.sessionKey(r)
	return err == nil && session != nil && now == key
}

// used returns what started a login whose callback was used; nothing for an unknown one.
func (web *Web) used(r *http.Request, state string) (t trigger) {
	if mark, err := web.config.Sessions.Get(r.Context(), usedKey(state)); err == nil {
		_ = json.Unmarshal(mark, &t) // as Callback wrote it
	}
	return t
}

// useless responds to a callback that belongs to no login of this browser, or not any
// more.
func (web *Web) useless(w http.ResponseWriter, r *http.Request, t trigger) {
	if session, err := web.Session(r); err == nil && session != nil {
		redirect(w, cmp.Or(web.next(t), web.config.Home))
		return
	}
	err := fmt.Errorf("login: callback: %w: no such login was started in this browser, or it is too old or completed", flows.ErrState)
	web.fail(w, r, failure(http.StatusBadRequest, "This login cannot be completed",
		"It was started in another browser, took too long, or was completed before.", err), t.again())
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
		web.fail(w, r, f, p.again())
		return
	}
	web.setCookie(w, p.cookie, "", -time.Second)
	result := &Result{Account: Account{set, claims}, Link: p.From == fromLink, Next: web.next(p.trigger)}
	if f := web.accept(w, r, result, p); f.Status != 0 {
		web.fail(w, r, f, p.again())
		return
	}
	redirect(w, result.Next)
}

// accept begins a session with the result of a login, or revokes its tokens and says why.
func (web *Web) accept(w http.ResponseWriter, r *http.Request, result *Result, p pending) Failure {
	ctx := context.WithoutCancel(r.Context())
	f := web.admit(ctx, r, result, p)
	if f.Status == 0 {
		f = web.keepSession(ctx, w, r, result, p)
	}
	if f.Status != 0 {
		web.revoke(r, "keep no session", nil, result.Tokens)
	}
	return f
}

// admit asks OnLogin.
func (web *Web) admit(ctx context.Context, r *http.Request, result *Result, p pending) Failure {
	before, err := web.session(ctx, r, web.config.Sessions.Get)
	if err == nil {
		result.Start, err = url.ParseRequestURI(p.Start)
	}
	if err != nil {
		return notKept(err)
	}
	if result.Session = before; before != nil && (result.Link || before.owns(result.Claims)) {
		result.Data = before.Data
	}
	if _, err := result.next(before, p.Asked, web.now()); err != nil {
		return notLinked(err)
	}
	if web.config.OnLogin == nil {
		return Failure{}
	}
	shown := *result
	if err := web.config.OnLogin(r, &shown); err != nil {
		return failure(http.StatusForbidden, "No access", "You have logged in, but you may not use this site.", err)
	}
	if len(shown.Data) > maxData {
		return notKept(fmt.Errorf("the Data of OnLogin's result has %d bytes, more than %d", len(shown.Data), maxData))
	}
	result.Data, result.Next = shown.Data, shown.Next
	return Failure{}
}

// keepSession puts the session after a login in place of that before.
func (web *Web) keepSession(ctx context.Context, w http.ResponseWriter, r *http.Request, result *Result, p pending) Failure {
	before, err := web.session(ctx, r, web.config.Sessions.Take)
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
		_, err = web.config.Sessions.Add(ctx, sessionKey(id), data, end)
	}
	if err != nil {
		web.revoke(r, "end the session before", nil, before.sets()...)
		return notKept(err)
	}
	web.setCookie(w, sessionCookie, id, end.Sub(web.now()))
	web.revoke(r, "end the session before", session, before.sets()...)
	return Failure{}
}
