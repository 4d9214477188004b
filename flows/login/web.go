package login

import (
	"cmp"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/prefix"
)

// WebConfig configures a [Web]. Flow is required.
type WebConfig struct {
	// Flow is the portal's client. Its RedirectURI is where Callback is served, its
	// Auth.Now the clock.
	Flow flows.Config
	// Sessions keeps sessions. Nil means a [MemorySessions] of its own.
	Sessions Sessions
	// SessionTime is how long a session lasts after its login. Zero means 12
	// hours. Access tokens last 48; a portal that outlasts them keeps refresh
	// tokens by OnLogin.
	SessionTime time.Duration
	// OnLogin is called for every login before its session begins: to keep the tokens, to
	// note who came, or to refuse the person by an error. It may change Next and Data of
	// the result. The tokens of a login that is refused are revoked, and the session before
	// it stays. The browser is not shown the text of the error; Fail gets it, and may send
	// the browser to a page of your own. Nil means that everyone who can log in may.
	OnLogin func(r *http.Request, result *Result) error
	// OnError is called with the reason why a request was not served, or a token not
	// revoked, for a log. Errors hold no secret. Nil means that they are dropped.
	OnError func(r *http.Request, err error)
	// Fail writes the response to a request that is not served, in place of a plain
	// page, or of JSON (RFC 9457) for programs that accept nothing else. Headers such as
	// Retry-After are set already.
	Fail func(w http.ResponseWriter, r *http.Request, failure Failure)
	// Home is where a login without a next parameter, and a logout, lead: a path of this
	// site. Empty means "/".
	Home string
	// EndGlobusSession makes Logout end the browser's session at Globus too: on a
	// shared machine the next person is then asked who they are. Globus shows a link
	// that leads back.
	EndGlobusSession bool
}

// Web logs people in to a portal. [Web.Start], [Web.Callback], [Web.Logout] and
// [Web.Link] are its handlers; mount those that you need where you like, Callback at the
// path of the redirect URI:
//
//	mux.HandleFunc("GET /login", web.Start)
//	mux.HandleFunc("GET /login/callback", web.Callback)
//	mux.HandleFunc("POST /logout", web.Logout)
//	mux.HandleFunc("POST /link", web.Link)
//
// A page calls [Web.Require] for a session that meets its demands, or [Web.Session] if
// it is for anonymous visitors too.
//
// A browser keeps the logins that it starts in cookies of its own, sealed with a key that
// is derived from the client secret: up to eight at once and 6 kB; beyond that, the
// oldest is dropped. They take no memory of the portal, and any replica finishes them.
// The cookie for the session holds a random number. All are kept from scripts and other
// sites (HttpOnly, SameSite=Lax, Secure and the prefix __Host-, the last two unless the
// redirect URI is http on a loopback address).
//
// A Web is safe for concurrent use.
type Web struct {
	config WebConfig
	seal   cipher.AEAD // of pending logins
	site   url.URL     // of the portal
}

// Format prints the portal without its secret, whatever the verb.
func (web *Web) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "login.Web "+web.site.Host)
}

// NewWeb checks the configuration. It makes no request.
func NewWeb(config WebConfig) (_ *Web, err error) {
	defer prefix.Add(&err, "login: new web")
	if _, err := config.Flow.Start(); err != nil {
		return nil, err
	}
	redirect, _ := url.Parse(config.Flow.RedirectURI) // Start has parsed it
	if config.OnError == nil {
		config.OnError = func(*http.Request, error) {}
	}
	config.Home = cmp.Or(config.Home, "/")
	config.SessionTime = cmp.Or(config.SessionTime, 12*time.Hour)
	config.Sessions = cmp.Or[Sessions](config.Sessions, &MemorySessions{now: config.Flow.Auth.Now})
	switch {
	case config.Flow.ClientSecret == "":
		// The key that seals pending logins comes from it.
		return nil, errors.New("Flow.ClientSecret is empty; a portal is a confidential client")
	case !samePage(config.Home):
		return nil, errors.New("the Home must be a path of this site, beginning with one slash")
	}
	seal, err := newSeal(config.Flow.ClientSecret)
	if err != nil {
		return nil, err
	}
	return &Web{config: config, seal: seal, site: url.URL{Scheme: redirect.Scheme, Host: redirect.Host}}, nil
}

// Start sends the browser to the login. Its query parameter next names the page to go
// to afterwards; only a path of this site is accepted.
func (web *Web) Start(w http.ResponseWriter, r *http.Request) {
	web.start(w, r, pending{Start: r.RequestURI})
}

// start begins a login.
func (web *Web) start(w http.ResponseWriter, r *http.Request, p pending, options ...flows.StartOption) {
	begun, err := web.config.Flow.Start(options...)
	if err == nil {
		err = web.keep(w, r, begun, p)
	}
	switch {
	case errors.Is(err, errNext):
		web.fail(w, r, failure(http.StatusBadRequest, "Unknown page", "The page to go to after the login is not part of this site.", err), "")
	case err != nil:
		web.fail(w, r, unavailable(err), p.again())
	default:
		redirect(w, begun.URL())
	}
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
	key := web.sessionKey(r)
	if key == "" {
		web.fail(w, r, failure(http.StatusUnauthorized, "You are not logged in", "Please log in before you link another account.", errLogin), "")
		return
	}
	web.start(w, r, pending{Start: r.RequestURI, Session: key}, flows.WithAuthorization(apierror.AuthorizationParameters{Prompt: "login"}))
}

// Logout ends the session, for POST requests of this site only: others are refused by
// what browsers say of their origin. The tokens are revoked; failures are reported to
// OnError, and the tokens are dropped anyway.
func (web *Web) Logout(w http.ResponseWriter, r *http.Request) {
	if !web.ownPost(w, r, "log out") {
		return
	}
	session, err := web.session(r, web.config.Sessions.Take)
	if err != nil {
		web.fail(w, r, failure(http.StatusServiceUnavailable, "You are still logged in",
			"This site has a problem right now. Please log out again in a moment.", fmt.Errorf("login: log out: %w", err)), "")
		return
	}
	web.setCookie(w, sessionCookie, "", -time.Second)
	web.revoke(r, "log out", nil, session.sets()...)
	target := web.config.Home
	if web.config.EndGlobusSession {
		target = web.config.Flow.Auth.BaseURL() + "v2/web/logout?" + url.Values{
			"client": {web.config.Flow.ClientID}, "redirect_uri": {web.site.String() + target}, "redirect_name": {web.site.Host},
		}.Encode()
	}
	redirect(w, target)
}

// ownPost reports whether a request is a POST of this site's own pages, and responds if
// it is not.
func (web *Web) ownPost(w http.ResponseWriter, r *http.Request, attempt string) bool {
	err := new(http.CrossOriginProtection).Check(r) // which lets every GET pass
	if r.Method != http.MethodPost {
		err = errors.New("the method is not POST")
	}
	if err != nil {
		web.fail(w, r, failure(http.StatusForbidden, "Nothing has changed", "Please use this site's button to "+attempt+".",
			fmt.Errorf("login: %s: %w", attempt, err)), "")
	}
	return err == nil
}

func (web *Web) now() time.Time { return web.config.Flow.Auth.Now() }

// redirect sends the browser elsewhere by GET.
func redirect(w http.ResponseWriter, target string) {
	secureHeader(w.Header())
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// digest is the form in which an identifier from a browser becomes a key: a party that
// reads the stored keys can make no cookie of them.
func digest(kind, text string) string {
	sum := sha256.Sum256([]byte(kind + ":" + text))
	return kind + "-" + base64.RawURLEncoding.EncodeToString(sum[:])
}
