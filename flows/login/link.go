package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/globusauth/globusauth/apierror"
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

// Link sends the browser to the login of another account, which is then added to the
// [Session.Linked] of this session. It takes POST requests of this site only, from a
// browser with a session; its query parameter next is that of [Web.Start]. OnLogin may
// refuse the account. The login must come back to the same session. Nothing is linked at
// Globus. Needs openid in Flow.Scopes.
func (web *Web) Link(w http.ResponseWriter, r *http.Request) {
	if !web.ownPost(w, r, "link an account") {
		return
	}
	session, err := web.Session(r)
	switch {
	case err != nil:
		web.fail(w, r, unavailable(err), "")
	case session == nil:
		web.fail(w, r, failure(http.StatusUnauthorized, "You are not logged in", "Please log in before you link another account.", errLogin), "")
	default:
		key, _ := web.sessionKey(r)
		web.start(w, r, pending{trigger: trigger{Start: r.RequestURI, From: fromLink}, Session: key},
			flows.WithAuthorization(apierror.AuthorizationParameters{Prompt: "login"}))
	}
}

// next is the session after a login, in place of that before; nil if an account cannot
// be added to that.
func (r *Result) next(before *Session, asked string, now time.Time) (*Session, error) {
	account := r.Account
	switch {
	case before != nil && before.owns(r.Claims):
		account.Tokens = before.Tokens.Merge(account.Tokens)
		return &Session{Account: account, Linked: before.Linked, Data: r.Data, asked: asked, since: now}, nil
	case !r.Link:
		return &Session{Account: account, Data: r.Data, asked: asked, since: now}, nil
	case before == nil:
		return nil, errEnded
	case r.Claims == nil:
		return nil, errors.New("there are no claims; Flow.Scopes must have openid")
	}
	linked := before.Linked
	for i := range linked {
		if linked[i].owns(r.Claims) {
			linked = slices.Clone(linked)
			linked[i] = Account{linked[i].Tokens.Merge(account.Tokens), account.Claims}
			return before.with(linked, r.Data), nil
		}
	}
	if len(linked) >= maxLinked {
		return nil, fmt.Errorf("the session has %d linked accounts, as many as it may", len(linked))
	}
	return before.with(append(slices.Clone(linked), account), r.Data), nil
}

// with is the session with other linked accounts and data. It lasts no longer.
func (s *Session) with(linked []Account, data []byte) *Session {
	return &Session{Account: s.Account, Linked: linked, Data: data, asked: s.asked, since: s.since}
}
