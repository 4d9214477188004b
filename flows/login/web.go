package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/tokens"
)

const (
	defaultSessionTime = 12 * time.Hour
	revokeTimeout      = 10 * time.Second
)

// WebConfig configures a [Web].
type WebConfig struct {
	// Flow is the portal's client. Its RedirectURI is where Callback is served, its
	// Client.Now the clock.
	Flow flows.Confidential
	// Sessions keeps logins and sessions. Nil means a [MemorySessions] of its own.
	Sessions Sessions
	// SessionTime is how long a session lasts after its login. Zero means 12
	// hours. Access tokens last 48; a portal that outlasts them keeps refresh
	// tokens by OnLogin.
	SessionTime time.Duration
	// StartOptions says what more a login asks for, such as
	// flows.WithAuthorization for a page that needs a fresh login. Nil means nothing.
	StartOptions func(r *http.Request) []flows.StartOption
	// OnLogin is told of every login before its session begins: to keep the tokens, to
	// note who came, or to turn the person away by an error. The browser is not shown the
	// text of that error. Nil means that everyone who can log in may.
	OnLogin func(r *http.Request, set tokens.Set) error
	// OnError is told why a request was not served, for a log. Errors hold no
	// secret. Nil means that nobody is told.
	OnError func(r *http.Request, err error)
	// AfterLogin is where a login without a next parameter leads, a path of this
	// site. Empty means "/".
	AfterLogin string
	// AfterLogout is where a logout leads, a path of this site. Empty means "/".
	AfterLogout string
	// EndGlobusSession makes Logout end the browser's session at Globus too: on a
	// shared machine the next person is then asked who they are. Globus shows a link
	// with Name that leads back.
	EndGlobusSession bool
	// Name is the portal's name in that link. Empty means the redirect URI's host.
	Name string
}

// Web logs people in to a portal. [Web.Start], [Web.Callback] and [Web.Logout]
// are its handlers; mount them where you like, Callback at the path of the
// redirect URI:
//
//	mux.Handle("GET /login", web.Start())
//	mux.Handle("GET /login/callback", web.Callback())
//	mux.Handle("POST /logout", web.Logout())
//
// A browser has one cookie for the logins that it starts, any number at once, and one
// for its session. Both hold a random number and nothing else, and are kept from
// scripts and other sites (HttpOnly, SameSite=Lax, Secure and the prefix __Host-,
// the last two unless the redirect URI is http on a loopback address).
//
// A Web is safe for concurrent use.
type Web struct {
	config WebConfig
	origin url.URL // of the portal
	secure bool
	cross  *http.CrossOriginProtection
}

// pending is a login that was started, as it is stored.
type pending struct {
	Login []byte `json:"login"`
	Next  string `json:"next"`
}

// NewWeb checks the configuration. It makes no request.
func NewWeb(config WebConfig) (*Web, error) {
	if _, err := config.Flow.Start(); err != nil {
		return nil, fmt.Errorf("login: new web: Flow: %w", err)
	}
	redirect, err := url.Parse(config.Flow.RedirectURI)
	if err != nil {
		return nil, fmt.Errorf("login: new web: Flow.RedirectURI: %w", err)
	}
	if config.SessionTime < 0 {
		return nil, errors.New("login: new web: SessionTime is negative")
	}
	for _, where := range []struct {
		name string
		path *string
	}{{"AfterLogin", &config.AfterLogin}, {"AfterLogout", &config.AfterLogout}} {
		if *where.path == "" {
			*where.path = "/"
		}
		if !samePage(*where.path) {
			return nil, fmt.Errorf("login: new web: %s must be a path of this site, beginning with one slash", where.name)
		}
	}
	if config.SessionTime == 0 {
		config.SessionTime = defaultSessionTime
	}
	if config.Sessions == nil {
		config.Sessions = NewMemorySessions(0, config.Flow.Client.Now)
	}
	if config.Name == "" {
		config.Name = redirect.Host
	}
	return &Web{
		config: config,
		origin: url.URL{Scheme: redirect.Scheme, Host: redirect.Host},
		secure: redirect.Scheme == "https",
		cross:  http.NewCrossOriginProtection(),
	}, nil
}

// Start is the handler that sends the browser to the login. Its query parameter
// next names the page to go to afterwards; only a path of this site is accepted.
func (web *Web) Start() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeader(w.Header())
		next := r.URL.Query().Get("next")
		if next == "" {
			next = web.config.AfterLogin
		}
		if !samePage(next) {
			web.fail(w, r, http.StatusBadRequest, "the address to go to after the login is not a page of this site", errNotHere)
			return
		}
		if err := web.start(w, r, next); err != nil {
			web.fail(w, r, http.StatusServiceUnavailable, "a login cannot be started now; try again later", err)
		}
	})
}

var errNotHere = errors.New("login: start: the parameter next is not a path of this site")

func (web *Web) start(w http.ResponseWriter, r *http.Request, next string) error {
	var options []flows.StartOption
	if web.config.StartOptions != nil {
		options = web.config.StartOptions(r)
	}
	begun, err := web.config.Flow.Start(options...)
	if err != nil {
		return err
	}
	stored, err := begun.MarshalStorage()
	if err != nil {
		return err
	}
	data, err := json.Marshal(pending{Login: stored, Next: next})
	if err != nil {
		return fmt.Errorf("login: start: %w", err)
	}
	target, err := url.Parse(begun.URL())
	if err != nil {
		return errors.New("login: start: the flow's URL cannot be read")
	}
	// Of a browser that has the cookie already, other logins may be under way.
	id, found := web.cookie(r, browserCookie)
	if !found {
		id = rand.Text()
	}
	timeout := web.config.Flow.LoginTimeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	expiry := web.now().Add(timeout)
	if err := web.config.Sessions.Put(r.Context(), loginKey(id, target.Query().Get("state")), data, expiry); err != nil {
		return fmt.Errorf("login: start: keep the login: %w", err)
	}
	web.setCookie(w, browserCookie, id, timeout)
	redirect(w, begun.URL())
	return nil
}

// Callback is the handler for the redirect URI. A login that it knows is forgotten
// before it is finished, so that no callback works twice.
func (web *Web) Callback() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeader(w.Header())
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			web.fail(w, r, http.StatusMethodNotAllowed, "only a browser that comes back from the login is served", errMethod)
			return
		}
		callback, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			web.fail(w, r, http.StatusBadRequest, "the address cannot be read", errUnknownLogin)
			return
		}
		login, next, err := web.take(r, callback)
		switch {
		case errors.Is(err, errUnknownLogin):
			web.fail(w, r, http.StatusBadRequest, "this login was not started in this browser, is too old, or was used before; log in again", err)
			return
		case err != nil:
			web.fail(w, r, http.StatusServiceUnavailable, "the login cannot be finished now; log in again later", err)
			return
		}
		// The code is about to be spent: whether the browser waits does not matter any more.
		set, err := login.Finish(context.WithoutCancel(r.Context()), callback)
		if err != nil {
			web.fail(w, r, http.StatusForbidden, err.Error(), err)
			return
		}
		if web.config.OnLogin != nil {
			if err := web.config.OnLogin(r, set); err != nil {
				web.fail(w, r, http.StatusForbidden, "you have logged in, but may not use this site", err)
				return
			}
		}
		if err := web.begin(w, r, set); err != nil {
			web.fail(w, r, http.StatusServiceUnavailable, "the session cannot be kept now; log in again later", err)
			return
		}
		redirect(w, next)
	})
}

var (
	errMethod       = errors.New("login: the method is not allowed")
	errUnknownLogin = errors.New("login: callback: no such login was started in this browser")
)

// take returns the login that the callback answers, if this browser started it.
func (web *Web) take(r *http.Request, callback url.Values) (flows.Login, string, error) {
	id, found := web.cookie(r, browserCookie)
	if state := callback["state"]; !found || len(state) != 1 {
		return flows.Login{}, "", errUnknownLogin
	}
	data, err := web.config.Sessions.Take(r.Context(), loginKey(id, callback.Get("state")))
	if err != nil {
		return flows.Login{}, "", fmt.Errorf("login: callback: get the login: %w", err)
	}
	var kept pending
	if data == nil || json.Unmarshal(data, &kept) != nil || !samePage(kept.Next) {
		return flows.Login{}, "", errUnknownLogin
	}
	login, err := web.config.Flow.Resume(kept.Login)
	if err != nil {
		return flows.Login{}, "", fmt.Errorf("%w: %w", errUnknownLogin, err)
	}
	return login, kept.Next, nil
}

// begin starts a session, under a number that nobody knew before.
func (web *Web) begin(w http.ResponseWriter, r *http.Request, set tokens.Set) error {
	data, err := set.MarshalStorage()
	if err != nil {
		return err
	}
	if old, found := web.cookie(r, sessionCookie); found {
		if _, err := web.config.Sessions.Take(r.Context(), sessionKey(old)); err != nil {
			return fmt.Errorf("login: end the session before: %w", err)
		}
	}
	id := rand.Text()
	if err := web.config.Sessions.Put(r.Context(), sessionKey(id), data, web.now().Add(web.config.SessionTime)); err != nil {
		return fmt.Errorf("login: keep the session: %w", err)
	}
	web.setCookie(w, sessionCookie, id, web.config.SessionTime)
	return nil
}

// Session returns the tokens of the person who sends the request; an empty set if
// nobody is logged in.
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
			web.fail(w, r, http.StatusMethodNotAllowed, "use the button of this site to log out", errMethod)
			return
		}
		if err := web.cross.Check(r); err != nil {
			web.fail(w, r, http.StatusForbidden, "another site wanted to log you out", fmt.Errorf("login: log out: %w", err))
			return
		}
		if err := web.end(w, r); err != nil {
			web.fail(w, r, http.StatusServiceUnavailable, "you cannot be logged out now; try again", err)
			return
		}
		target := web.config.AfterLogout
		if web.config.EndGlobusSession {
			back := web.origin.String() + target
			target = web.config.Flow.Client.BaseURL() + "v2/web/logout?" + url.Values{
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
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
	defer cancel()
	for _, token := range set.All() {
		// The access token first: without its refresh token it is not renewed meanwhile.
		for _, secret := range []string{token.AccessToken, token.RefreshToken} {
			if secret == "" {
				continue
			}
			if err := web.config.Flow.Revoke(ctx, secret); err != nil {
				web.report(r, fmt.Errorf("login: log out: token for %q: %w", token.ResourceServer, err))
			}
		}
	}
	return nil
}

func (web *Web) now() time.Time { return web.config.Flow.Client.Now() }

func (web *Web) report(r *http.Request, err error) {
	if web.config.OnError != nil {
		web.config.OnError(r, err)
	}
}

func (web *Web) fail(w http.ResponseWriter, r *http.Request, status int, message string, err error) {
	web.report(r, err)
	showPage(w, status, http.StatusText(status), message+".")
}

// redirect sends the browser elsewhere by GET.
func redirect(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// digest is the form in which an identifier from a browser becomes a key: whoever
// reads the stored keys can make no cookie of them.
func digest(kind, text string) string {
	sum := sha256.Sum256([]byte(kind + ":" + text))
	return kind + "-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func loginKey(browser, state string) string { return digest("login", browser+":"+state) }
func sessionKey(id string) string           { return digest("session", id) }
