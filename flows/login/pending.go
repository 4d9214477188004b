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

	login flows.Login
	name  string // of its cookie
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
	type cookie struct {
		name   string
		size   int
		expiry int64
	}
	var held []cookie
	var free []string
	total := len(value)
	for i := range maxPending {
		name := pendingCookie + strconv.Itoa(i)
		size := 0
		for _, c := range r.CookiesNamed(web.cookieName(name)) {
			size += len(c.Value)
		}
		if size == 0 {
			free = append(free, name)
			continue
		}
		p, _ := web.open(r, name)
		held = append(held, cookie{name, size, p.Expiry})
		total += size
	}
	slices.SortFunc(held, func(a, b cookie) int { return cmp.Compare(a.expiry, b.expiry) })
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

// open reads a cookie with a pending login.
func (web *Web) open(r *http.Request, name string) (pending, bool) {
	all := r.CookiesNamed(web.cookieName(name))
	if len(all) != 1 {
		return pending{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(all[0].Value)
	if err != nil {
		return pending{}, false
	}
	data, err := web.seal.Open(nil, nil, sealed, nil)
	p := pending{name: name}
	if err != nil || json.Unmarshal(data, &p) != nil {
		return pending{}, false
	}
	return p, true
}

// find returns the login that a callback with this state answers, if this browser
// started it.
func (web *Web) find(r *http.Request, state string) (pending, bool) {
	for i := range maxPending {
		p, found := web.open(r, pendingCookie+strconv.Itoa(i))
		if !found {
			continue
		}
		login, err := web.config.Flow.Resume(p.Login)
		if err == nil && subtle.ConstantTimeCompare([]byte(login.State()), []byte(state)) == 1 {
			p.login = login
			return p, true
		}
	}
	return pending{}, false
}

// next is the page that a login leads to, by the path and query that started it.
func (web *Web) next(start string) (string, bool) {
	parsed, err := url.ParseRequestURI(start)
	if err != nil {
		return "", false
	}
	next := parsed.Query().Get("next")
	if next == "" {
		next = web.config.AfterLogin
	}
	return next, len(start) <= maxPage && samePage(next)
}
