package login

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/flows"
)

const (
	pendingCookie = "globus-auth-login-" // and a number below maxPending
	// A browser sends all of them with every request, and servers in front of a
	// portal refuse more than 8 kB of cookies.
	maxPending      = 8
	maxPendingBytes = 6000
	// Browsers drop a cookie of more than 4,096 bytes.
	maxCookieBytes = 3900
)

// pending is a login that was started. The browser keeps it, sealed, so that logins
// that are not finished cost the portal nothing.
type pending struct {
	Start   string          `json:"start"`             // path and query that started it
	Asked   string          `json:"asked,omitempty"`   // by Require or Login, on the page Start: digest of what was asked for
	Session string          `json:"session,omitempty"` // by Link: key of the session to link an account to
	Login   json.RawMessage `json:"login,omitempty"`
	Expiry  int64           `json:"expiry,omitempty"`

	cookie string // its name
	size   int    // of the cookie
}

// again is the path and query that starts the same login again; empty if no link can.
func (p pending) again() string {
	if p.Session != "" {
		return ""
	}
	return p.Start
}

// newSeal makes the AEAD for pending logins. Its key comes from the client secret,
// which all replicas of a portal have.
func newSeal(clientSecret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(clientSecret), nil, "globusauth login: pending login cookie", 32)
	if err != nil {
		return nil, err
	}
	block, _ := aes.NewCipher(key) // of 32 bytes, which is a length that it takes
	return cipher.NewGCMWithRandomNonce(block)
}

// keep gives the browser a login to keep, in place of the oldest ones if there are too
// many.
func (web *Web) keep(w http.ResponseWriter, r *http.Request, begun flows.Login, p pending) error {
	var err error
	if p.Login, err = begun.MarshalStorage(); err != nil {
		return err
	}
	p.Expiry = web.now().Add(timeout).Unix()
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	//nolint:gosec // this AEAD makes a random nonce itself
	value := base64.RawURLEncoding.EncodeToString(web.seal.Seal(nil, nil, data, nil))
	if web.next(p) == "" || len(value) > maxCookieBytes {
		return errNext
	}
	// Free cookies expire first. Of logins that start at once most take different ones.
	all := web.pending(r, int(begun.State()[0]))
	slices.SortStableFunc(all, func(a, b pending) int { return cmp.Compare(a.Expiry, b.Expiry) })
	total := len(value)
	for _, kept := range slices.Backward(all[1:]) {
		if total += kept.size; total > maxPendingBytes && kept.size > 0 {
			web.setCookie(w, kept.cookie, "", -time.Second)
		}
	}
	web.setCookie(w, all[0].cookie, value, timeout)
	return nil
}

// pending returns the logins that a browser keeps, beginning with the given cookie. Of
// a cookie that cannot be opened there are only the name and the size, of one that is not
// there or came twice only the name.
func (web *Web) pending(r *http.Request, first int) []pending {
	all := make([]pending, maxPending)
	for i := range all {
		p := &all[i]
		p.cookie = pendingCookie + strconv.Itoa((first+i)%maxPending)
		cookies := r.CookiesNamed(web.cookieName(p.cookie))
		if len(cookies) != 1 {
			continue
		}
		p.size = len(cookies[0].Value)
		if sealed, err := base64.RawURLEncoding.DecodeString(cookies[0].Value); err == nil {
			if data, err := web.seal.Open(nil, nil, sealed, nil); err == nil {
				_ = json.Unmarshal(data, p) // sealed by keep
			}
		}
	}
	return all
}

// find returns the login that a callback with this state belongs to, if this browser
// started it.
func (web *Web) find(r *http.Request, state string) (flows.Login, pending, bool) {
	for _, p := range web.pending(r, 0) {
		login, err := web.config.Flow.Resume(p.Login)
		if err == nil && subtle.ConstantTimeCompare([]byte(login.State()), []byte(state)) == 1 {
			return login, p, true
		}
	}
	return flows.Login{}, pending{}, false
}

// next is the page that a login leads to; empty if it is not one of this site.
func (web *Web) next(p pending) string {
	next := p.Start
	if p.Asked == "" {
		_, query, _ := strings.Cut(p.Start, "?")
		parameters, _ := url.ParseQuery(query)
		next = cmp.Or(parameters.Get("next"), web.config.Home)
	}
	if !samePage(p.Start) || !samePage(next) {
		return ""
	}
	return next
}

const (
	sessionCookie = "globus-auth-session"
	maxPage       = 2048
)

// secure reports whether the portal has https; without it, on a loopback address,
// browsers keep no secure cookies.
func (web *Web) secure() bool { return web.site.Scheme == "https" }

func (web *Web) cookieName(name string) string {
	if web.secure() {
		return "__Host-" + name // bound to this host, its root path and https
	}
	return name
}

// sessionKey is the key of the browser's session, empty if it has none. A cookie that
// came twice is ignored.
func (web *Web) sessionKey(r *http.Request) string {
	all := r.CookiesNamed(web.cookieName(sessionCookie))
	if len(all) != 1 {
		return ""
	}
	return digest("session", all[0].Value)
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
	_, err := url.Parse(target)
	return err == nil && len(target) <= maxPage && strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") &&
		!strings.ContainsFunc(target, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f })
}
