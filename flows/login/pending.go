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
	trigger

	Login   json.RawMessage `json:"login"`
	Expiry  int64           `json:"expiry"`
	Asked   string          `json:"asked,omitempty"`   // digest of what the page asked for
	Session string          `json:"session,omitempty"` // key of the session to link an account to

	cookie string // its name
	size   int    // of the cookie
}

// trigger is what started a login.
type trigger struct {
	Start string `json:"start"` // path and query
	From  string `json:"from,omitempty"`
}

const (
	fromPage = "page" // by Require or Login; Start is the page to come back to
	fromLink = "link" // by Link
)

// again is the path and query that starts the same login again; empty if no link can.
func (t trigger) again() string {
	if t.From == fromLink {
		return ""
	}
	return t.Start
}

// newSeal makes the AEAD for pending logins. Its key comes from the client secret,
// which all replicas of a portal have.
func newSeal(clientSecret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(clientSecret), nil, "globusauth login: pending login cookie", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// keep gives the browser a login to keep, in place of the oldest ones if there are too
// many.
func (web *Web) keep(w http.ResponseWriter, r *http.Request, begun flows.Login, p pending) error {
	stored, err := begun.MarshalStorage()
	if err != nil {
		return err
	}
	timeout := web.config.Flow.LoginTimeout
	p.Login, p.Expiry = stored, web.now().Add(timeout).Unix()
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	//nolint:gosec // this AEAD makes a random nonce itself
	value := base64.RawURLEncoding.EncodeToString(web.seal.Seal(nil, nil, data, nil))
	if len(value) > maxCookieBytes {
		return errNext
	}
	// Free cookies expire first. Of logins that start at once most take different ones.
	all := web.pending(r, int(begun.State()[0]))
	slices.SortStableFunc(all, func(a, b pending) int { return cmp.Compare(a.Expiry, b.Expiry) })
	total := len(value)
	for _, p := range all[1:] {
		total += p.size
	}
	for _, p := range all[1:] {
		if total > maxPendingBytes && p.size > 0 {
			web.setCookie(w, p.cookie, "", -time.Second)
			total -= p.size
		}
	}
	web.setCookie(w, all[0].cookie, value, timeout)
	return nil
}

// pending returns the logins that a browser keeps, beginning with the given cookie. Of
// a cookie that is not there or cannot be opened there are only the name and the size.
func (web *Web) pending(r *http.Request, first int) []pending {
	all := make([]pending, maxPending)
	for i := range all {
		p := &all[i]
		p.cookie = pendingCookie + strconv.Itoa((first+i)%maxPending)
		cookies := r.CookiesNamed(web.cookieName(p.cookie))
		for _, cookie := range cookies {
			p.size += len(cookie.Value)
		}
		if len(cookies) != 1 {
			continue
		}
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
func (web *Web) next(t trigger) string {
	parsed, err := url.ParseRequestURI(t.Start)
	if err != nil || !samePage(t.Start) {
		return ""
	}
	if t.From == fromPage {
		return t.Start
	}
	next := cmp.Or(parsed.Query().Get("next"), web.config.Home)
	if !samePage(next) {
		return ""
	}
	return next
}
