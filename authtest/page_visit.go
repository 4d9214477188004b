package authtest

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/pages"
)

const (
	visitLifetime = time.Hour

	// Parameters that the pages add to those of an authorization request.
	paramVisit    = "authtest_visit"
	paramPage     = "authtest_page"
	paramProvider = "authtest_provider"
)

func (e *engine) browserOf(r *http.Request) pages.Browser {
	return e.forms.Browser(r, strings.HasPrefix(e.base(r), "https:"))
}

// visit is the progress of a user with one authorization request in one browser. It
// is in the address, authenticated.
type visit struct {
	browser  pages.Browser
	query    url.Values  // of the authorization request itself
	page     string      // that the user requested
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

// visitOf reads the progress of a user. It ignores what is not authentic.
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
	if !hmac.Equal([]byte(mac), []byte(e.forms.MAC("visit", v.browser.ID, v.query.Encode(), payload))) {
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
		document := visitDocument{Linking: v.linking, Ends: e.now().Add(visitLifetime).Unix()}
		for _, i := range v.fresh {
			document.Fresh = append(document.Fresh, i.ID)
		}
		if v.pending != nil {
			document.Pending = v.pending.ID
		}
		text, _ := json.Marshal(document) // only strings and numbers: cannot fail
		payload := base64.RawURLEncoding.EncodeToString(text)
		query.Set(paramVisit, payload+"."+e.forms.MAC("visit", v.browser.ID, v.query.Encode(), payload))
	}
	if named != "" {
		query.Set(paramPage, named)
	}
	if provider != "" {
		query.Set(paramProvider, provider)
	}
	return "/v2/oauth2/authorize?" + query.Encode()
}
