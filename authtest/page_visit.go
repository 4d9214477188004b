package authtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	browserCookie = "authtest_browser"
	visitLife     = time.Hour

	// Parameters that the pages add to those of an authorization request.
	paramVisit    = "authtest_visit"
	paramPage     = "authtest_page"
	paramProvider = "authtest_provider"
)

var (
	browserPattern = regexp.MustCompile(`^[A-Z2-7]{26}$`)
	schemePattern  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
)

// pageKeys authenticate what the pages give to a browser and get back.
type pageKeys struct{ secret [32]byte }

func newPageKeys() pageKeys {
	var keys pageKeys
	_, _ = rand.Read(keys.secret[:]) // never fails
	return keys
}

// mac binds texts to a purpose. The lengths keep them apart.
func (k *pageKeys) mac(purpose string, texts ...string) string {
	hash := hmac.New(sha256.New, k.secret[:])
	for _, text := range append([]string{purpose}, texts...) {
		length := uint32(len(text))
		hash.Write([]byte{byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)})
		hash.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// browser is who looks at a page: what its cookie says, or a new value.
type browser struct {
	id     string
	cookie *http.Cookie // to set; nil when the browser has it
}

// browserOf recognizes a browser. Any value of the right form will do: forms are
// bound to it, and it opens nothing by itself.
func (e *engine) browserOf(r *http.Request) browser {
	if cookie, err := r.Cookie(browserCookie); err == nil && browserPattern.MatchString(cookie.Value) {
		return browser{id: cookie.Value}
	}
	id := rand.Text()
	return browser{id: id, cookie: &http.Cookie{
		Name: browserCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(e.base(r), "https:"),
	}}
}

func (b browser) cookies() []*http.Cookie {
	if b.cookie == nil {
		return nil
	}
	return []*http.Cookie{b.cookie}
}

// formToken is the hidden member of every form: only a page of this server can
// know it, and it is good in one browser.
func (e *engine) formToken(b browser) string { return e.pages.mac("form", b.id) }

// formAllowed reports whether a form was sent from a page of this server: by
// what the browser says of its origin, and by its token.
func (e *engine) formAllowed(r *http.Request) bool {
	if http.NewCrossOriginProtection().Check(r) != nil {
		return false
	}
	b := e.browserOf(r)
	return b.cookie == nil && hmac.Equal([]byte(r.PostFormValue("form_token")), []byte(e.formToken(b)))
}

// visit is how far a person has come with one authorization request in one
// browser. It travels in the address, authenticated.
type visit struct {
	browser  browser
	query    url.Values  // of the authorization request itself
	page     string      // that the person asked for
	provider string      // whose identities are shown
	fresh    []*identity // that signed in for this request
	pending  *identity   // that has yet to confirm the second factor
	linking  bool        // the pending identity is to be linked
}

type visitDocument struct {
	Fresh   []string `json:"f,omitempty"`
	Pending string   `json:"p,omitempty"`
	Linking bool     `json:"l,omitempty"`
	Ends    int64    `json:"e"`
}

// visitOf reads where a person is. What is not authentic is as if it was not there.
func (e *engine) visitOf(r *http.Request) *visit {
	query := r.URL.Query()
	v := &visit{
		browser: e.browserOf(r), page: query.Get(paramPage), provider: query.Get(paramProvider), query: query,
	}
	encoded := query.Get(paramVisit)
	for _, own := range []string{paramVisit, paramPage, paramProvider} {
		query.Del(own)
	}
	payload, mac, _ := strings.Cut(encoded, ".")
	if !hmac.Equal([]byte(mac), []byte(e.pages.mac("visit", v.browser.id, v.query.Encode(), payload))) {
		return v
	}
	var document visitDocument
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(text, &document) != nil || e.now().Unix() >= document.Ends {
		return v
	}
	for _, id := range document.Fresh {
		if i := e.identities[id]; i != nil {
			v.fresh = append(v.fresh, i)
		}
	}
	v.pending, v.linking = e.identities[document.Pending], document.Linking
	return v
}

// address returns the address of the visit: of the page that comes by itself, or
// of the one that is named.
func (e *engine) address(v *visit, named, provider string) string {
	query := url.Values{}
	for name, values := range v.query {
		query[name] = slices.Clone(values)
	}
	if len(v.fresh) > 0 || v.pending != nil {
		document := visitDocument{Linking: v.linking, Ends: e.now().Add(visitLife).Unix()}
		for _, i := range v.fresh {
			document.Fresh = append(document.Fresh, i.id)
		}
		if v.pending != nil {
			document.Pending = v.pending.id
		}
		text, _ := json.Marshal(document) // only strings and numbers: cannot fail
		payload := base64.RawURLEncoding.EncodeToString(text)
		query.Set(paramVisit, payload+"."+e.pages.mac("visit", v.browser.id, v.query.Encode(), payload))
	}
	if named != "" {
		query.Set(paramPage, named)
	}
	if provider != "" {
		query.Set(paramProvider, provider)
	}
	return "/v2/oauth2/authorize?" + query.Encode()
}
