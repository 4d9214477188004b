package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"regexp"
	"sync"
)

const browserCookie = "authtest_browser"

var browserPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z2-7]{26}$`) })

// Forms recognizes the forms that its pages showed. It is safe for concurrent use.
type Forms struct{ secret [32]byte }

// NewForms returns forms with a secret of their own.
func NewForms() *Forms {
	f := &Forms{}
	_, _ = rand.Read(f.secret[:]) // never fails
	return f
}

// MAC authenticates texts for a purpose. The lengths keep the texts apart.
func (f *Forms) MAC(purpose string, texts ...string) string {
	hash := hmac.New(sha256.New, f.secret[:])
	for _, text := range append([]string{purpose}, texts...) {
		hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		hash.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// Browser is the browser that requests a page: the value of its cookie, or a new one.
type Browser struct {
	ID      string
	Cookies []*http.Cookie // to set; none when the browser has its cookie
}

// Browser recognizes a browser; secure is whether the server is reached by https.
// Every value of the right format is accepted: forms are bound to it, and it gives no
// access by itself.
func (f *Forms) Browser(r *http.Request, secure bool) Browser {
	if cookie, err := r.Cookie(browserCookie); err == nil && browserPattern().MatchString(cookie.Value) {
		return Browser{ID: cookie.Value}
	}
	id := rand.Text()
	return Browser{ID: id, Cookies: []*http.Cookie{{
		Name: browserCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure,
	}}}
}

// Token is the hidden field form_token of every form. Only a page of this server
// knows it, and it is valid in one browser.
func (f *Forms) Token(b Browser) string { return f.MAC("form", b.ID) }

// Allowed reports whether a form was sent from a page of this server, according to
// its origin and its token.
func (f *Forms) Allowed(r *http.Request) bool {
	if http.NewCrossOriginProtection().Check(r) != nil {
		return false
	}
	b := f.Browser(r, false)
	return len(b.Cookies) == 0 && hmac.Equal([]byte(r.PostFormValue("form_token")), []byte(f.Token(b)))
}
