package login

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	sessionCookie = "globus-auth-session"
	hostPrefix    = "__Host-" // bound to this host, its root path and https
	maxPage       = 2048
)

// secure reports whether the portal has https; without it, on a loopback address,
// browsers keep no secure cookies.
func (web *Web) secure() bool { return web.site.Scheme == "https" }

func (web *Web) cookieName(name string) string {
	if web.secure() {
		return hostPrefix + name
	}
	return name
}

// sessionKey is the key of the browser's session. A cookie that came twice is ignored.
func (web *Web) sessionKey(r *http.Request) (key string, found bool) {
	all := r.CookiesNamed(web.cookieName(sessionCookie))
	if len(all) != 1 {
		return "", false
	}
	return sessionKey(all[0].Value), true
}

func (web *Web) setCookie(w http.ResponseWriter, name, value string, lifetime time.Duration) {
	//nolint:gosec // see secure
	http.SetCookie(w, &http.Cookie{
		Name:     web.cookieName(name),
		Value:    value,
		Path:     "/",
		MaxAge:   int(lifetime / time.Second),
		Secure:   web.secure(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // the callback comes from another site
	})
}

// samePage reports whether a target is a path of this site for every browser.
// They read "//host", "/\host" and "/<tab>/host" as another site.
func samePage(target string) bool {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || len(target) > maxPage {
		return false
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return false
	}
	_, err := url.Parse(target)
	return err == nil
}
