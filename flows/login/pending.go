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
	"fmt"
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
	Login  json.RawMessage `json:"login"`
	Start  string          `json:"start"` // path and query that started it
	Expiry int64           `json:"expiry"`

	name  string // of its cookie
	size  int    // of its cookie
	login flows.Login
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

// keep gives the browser a login to keep. The oldest ones make room.
func (web *Web) keep(w http.ResponseWriter, r *http.Request, begun flows.Login, timeout time.Duration) error {
	stored, err := begun.MarshalStorage()
	if err != nil {
		return err
	}
	data, err := json.Marshal(pending{Login: stored, Start: r.RequestURI, Expiry: web.now().Add(timeout).Unix()})
	if err != nil {
		return fmt.Errorf("login: start: %w", err)
	}
	//nolint:gosec // this AEAD makes a random nonce itself
	value := base64.RawURLEncoding.EncodeToString(web.seal.Seal(nil, nil, data, nil))
	if len(value) > maxCookieBytes {
		return errNotHere
	}
	held, free := web.held(r)
	slices.SortFunc(held, func(a, b pending) int { return cmp.Compare(a.Expiry, b.Expiry) })
	total := len(value)
	for _, p := range held {
		total += p.size
	}
	var evicted []string
	for len(held) > 0 && (len(free)+len(evicted) == 0 || total > maxPendingBytes) {
		total -= held[0].size
		evicted, held = append(evicted, held[0].name), held[1:]
	}
	free = append(free, evicted...)
	// Of logins that start at once, most get different names, since state is random.
	name := free[int(begun.State()[0])%len(free)]
	for _, old := range evicted {
		if old != name {
			web.setCookie(w, old, "", -time.Second)
		}
	}
	web.setCookie(w, name, value, timeout)
	return nil
}

// held returns the pending logins of a browser, and the names of cookies that are
// free. Of a cookie that cannot be opened there is only the name and the size.
func (web *Web) held(r *http.Request) (held []pending, free []string) {
	for i := range maxPending {
		p := pending{name: pendingCookie + strconv.Itoa(i)}
		all := r.CookiesNamed(web.cookieName(p.name))
		for _, cookie := range all {
			p.size += len(cookie.Value)
		}
		if p.size == 0 {
			free = append(free, p.name)
			continue
		}
		if sealed, err := base64.RawURLEncoding.DecodeString(all[0].Value); err == nil && len(all) == 1 {
			if data, err := web.seal.Open(nil, nil, sealed, nil); err == nil {
				_ = json.Unmarshal(data, &p) // it is ours
			}
		}
		held = append(held, p)
	}
	return held, free
}

// find returns the login that a callback with this state belongs to, if this browser
// started it.
func (web *Web) find(r *http.Request, state []string) (pending, bool) {
	held, _ := web.held(r)
	for _, p := range held {
		login, err := web.config.Flow.Resume(p.Login)
		if err == nil && len(state) == 1 && subtle.ConstantTimeCompare([]byte(login.State()), []byte(state[0])) == 1 {
			p.login = login
			return p, true
		}
	}
	return pending{}, false
}

// next is the page that a login leads to, by the path and query that started it; empty
// if it is not one of this site.
func (web *Web) next(start string) string {
	parsed, err := url.ParseRequestURI(start)
	if err != nil || !samePage(start) {
		return ""
	}
	next := cmp.Or(parsed.Query().Get("next"), web.config.AfterLogin)
	if !samePage(next) {
		return ""
	}
	return next
}
