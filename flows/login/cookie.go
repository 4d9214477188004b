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

func (web *Web) cookieName(name string) string {
	if web.secure {
		return hostPrefix + name
	}
	return name
}

// cookie returns a number that setCookie wrote. What looks otherwise, or came
// twice, is none.
func (web *Web) cookie(r *http.Request, name string) (string, bool) {
	const length = 26 // of rand.Text
	all := r.CookiesNamed(web.cookieName(name))
	if len(all) != 1 || len(all[0].Value) != length {
		return "", false
	}
	for _, c := range all[0].Value {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return all[0].Value, true
}

func (web *Web) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	//nolint:gosec // Secure is off only on a loopback address without https
	http.SetCookie(w, &http.Cookie{
		Name:     web.cookieName(name),
		Value:    value,
		Path:     "/",
		MaxAge:   int(life / time.Second),
		Secure:   web.secure,
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
	parsed, err := url.Parse(target)
	return err == nil && parsed.Scheme == "" && parsed.Host == "" && parsed.User == nil
}
