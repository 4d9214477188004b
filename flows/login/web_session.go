package login

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

const revokeTimeout = 10 * time.Second

// Session returns the tokens of the person who sends the request; an empty set if
// no user is logged in.
func (web *Web) Session(r *http.Request) (tokens.Set, error) {
	id, found := web.cookie(r, sessionCookie)
	if !found {
		return tokens.Set{}, nil
	}
	data, err := web.config.Sessions.Get(r.Context(), sessionKey(id))
	if err != nil {
		return tokens.Set{}, fmt.Errorf("login: get session: %w", err)
	}
	return readSet(data)
}

func readSet(data []byte) (tokens.Set, error) {
	if data == nil {
		return tokens.Set{}, nil
	}
	set, err := tokens.UnmarshalStorage(data)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("login: read session: %w", err)
	}
	return set, nil
}

// Logout is the handler that ends the session, for POST requests of this
// site only: others are refused by what browsers say of their origin. The tokens
// are revoked; one that cannot be is told to OnError and forgotten all the same.
func (web *Web) Logout() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeader(w.Header())
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			web.fail(w, r, failure(http.StatusMethodNotAllowed, "Method not allowed",
				"Please use this site's button to log out.", errMethod))
			return
		}
		if err := web.cross.Check(r); err != nil {
			web.fail(w, r, failure(http.StatusForbidden, "You are still logged in",
				"Another site tried to log you out.", fmt.Errorf("login: log out: %w", err)))
			return
		}
		if err := web.end(w, r); err != nil {
			web.fail(w, r, failure(http.StatusServiceUnavailable, "You are still logged in",
				"This site has a problem right now. Please log out again in a moment.", err))
			return
		}
		target := web.config.AfterLogout
		if web.config.EndGlobusSession {
			back := web.origin.String() + target
			target = web.config.Flow.Auth.BaseURL() + "v2/web/logout?" + url.Values{
				"client": {web.config.Flow.ClientID}, "redirect_uri": {back}, "redirect_name": {web.config.Name},
			}.Encode()
		}
		redirect(w, target)
	})
}

// end forgets the session, then revokes its tokens.
func (web *Web) end(w http.ResponseWriter, r *http.Request) error {
	id, found := web.cookie(r, sessionCookie)
	if !found {
		return nil
	}
	data, err := web.config.Sessions.Take(r.Context(), sessionKey(id))
	if err != nil {
		return fmt.Errorf("login: log out: %w", err)
	}
	web.setCookie(w, sessionCookie, "", -time.Second)
	set, err := readSet(data)
	if err != nil {
		web.report(r, err)
	}
	web.revoke(r, "log out", tokens.Set{}, set)
	return nil
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
					web.report(r, fmt.Errorf("login: %s: token for %q: %w", attempt, token.ResourceServer, err))
				}
			}
		}
	}
}
