package login

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

const (
	revokeTimeout = 10 * time.Second
	logoutPath    = "v2/web/logout"
)

// Session returns the tokens of the person who sends the request; an empty set if
// no user is logged in.
func (web *Web) Session(r *http.Request) (set tokens.Set, err error) {
	if key, found := web.sessionKey(r); found {
		var data []byte
		if data, err = web.config.Sessions.Get(r.Context(), key); data != nil && err == nil {
			set, err = tokens.UnmarshalStorage(data)
		}
	}
	if err != nil {
		return tokens.Set{}, fmt.Errorf("login: get session: %w", err)
	}
	return set, nil
}

// takeSession forgets the session of the browser and returns what it held. A session
// that cannot be read is reported, and counts as empty.
func (web *Web) takeSession(ctx context.Context, r *http.Request) (tokens.Set, error) {
	key, found := web.sessionKey(r)
	if !found {
		return tokens.Set{}, nil
	}
	data, err := web.config.Sessions.Take(ctx, key)
	if err != nil || data == nil {
		return tokens.Set{}, err
	}
	set, err := tokens.UnmarshalStorage(data)
	if err != nil {
		web.report(r, fmt.Errorf("login: read session: %w", err))
	}
	return set, nil
}

// Logout ends the session, for POST requests of this site only: others are refused by
// what browsers say of their origin. The tokens are revoked; failures are reported to
// OnError, and the tokens are dropped anyway.
func (web *Web) Logout(w http.ResponseWriter, r *http.Request) {
	secureHeader(w.Header())
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		web.fail(w, r, failure(http.StatusMethodNotAllowed, "Method not allowed", "Please use this site's button to log out.", errMethod), "")
		return
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		web.fail(w, r, failure(http.StatusForbidden, "You are still logged in",
			"Another site tried to log you out.", fmt.Errorf("login: log out: %w", err)), "")
		return
	}
	set, err := web.takeSession(r.Context(), r)
	if err != nil {
		web.fail(w, r, failure(http.StatusServiceUnavailable, "You are still logged in",
			"This site has a problem right now. Please log out again in a moment.", fmt.Errorf("login: log out: %w", err)), "")
		return
	}
	web.setCookie(w, sessionCookie, "", -time.Second)
	web.revoke(r, "log out", tokens.Set{}, set)
	target := web.config.Home
	if web.config.EndGlobusSession {
		target = web.config.Flow.Auth.BaseURL() + logoutPath + "?" + url.Values{
			"client": {web.config.Flow.ClientID}, "redirect_uri": {web.site.String() + target}, "redirect_name": {web.site.Host},
		}.Encode()
	}
	redirect(w, target)
}

// revoke ends the tokens of some sets at the service, other than those that keep
// holds too. The request's context does not end it; a few seconds do.
func (web *Web) revoke(r *http.Request, attempt string, keep tokens.Set, sets ...tokens.Set) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
	defer cancel()
	done := map[string]bool{"": true}
	for _, token := range keep.All() {
		done[token.AccessToken], done[token.RefreshToken] = true, true
	}
	for _, set := range sets {
		for _, token := range set.All() {
			// The access token first: without its refresh token it is not renewed meanwhile.
			for _, secret := range []string{token.AccessToken, token.RefreshToken} {
				if done[secret] {
					continue
				}
				done[secret] = true
				if err := web.config.Flow.Revoke(ctx, secret); err != nil {
					web.report(r, fmt.Errorf("%w (token for %q, to %s)", err, token.ResourceServer, attempt))
				}
			}
		}
	}
}
