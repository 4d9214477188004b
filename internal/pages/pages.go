// Package pages shows the pages of the test double to people in a browser: those of
// a login, and the dashboard of the emulator. It knows nothing of what they show.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed html
var files embed.FS

var schemePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`) })

// LongestField is how many bytes of a text that a user typed are accepted.
const LongestField = 200

// set holds the parsed pages and what allows their style sheet.
type set struct {
	pages map[string]*template.Template
	style template.CSS
	hash  string // source expression of the style sheet, for the content security policy
}

// parsed is parsed once per process, when the first page is shown.
var parsed = sync.OnceValues(parse)

func parse() (*set, error) {
	css, err := files.ReadFile("html/style.css")
	if err != nil {
		return nil, fmt.Errorf("authtest: pages: %w", err)
	}
	sum := sha256.Sum256(css)
	s := &set{
		pages: map[string]*template.Template{},
		style: template.CSS(css), // our own file
		hash:  "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	}
	entries, err := files.ReadDir("html")
	if err != nil {
		return nil, fmt.Errorf("authtest: pages: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "layout.html" && name != "style.css" {
			if s.pages[name], err = template.ParseFS(files, "html/layout.html", "html/"+name); err != nil {
				return nil, fmt.Errorf("authtest: pages: %w", err)
			}
		}
	}
	return s, nil
}

// Page is one page. Its view must not share memory with the state of a server: it
// is rendered after the lock was released.
type Page struct {
	Status  int
	Name    string // file in html
	Title   string
	Wide    bool
	View    any
	Cookies []*http.Cookie
	// RedirectURI is where forms of the page may end, in the end. Browsers apply
	// form-action to the redirects after a form, too.
	RedirectURI string
	// Private keeps the address of the page, which is a secret, from other sites.
	Private bool
}

// Write renders the page.
func (p Page) Write(w http.ResponseWriter) error {
	set, err := parsed()
	if err != nil {
		return err
	}
	var body bytes.Buffer
	data := struct {
		Title string
		Wide  bool
		Style template.CSS
		View  any
	}{p.Title, p.Wide, set.style, p.View}
	if err := set.pages[p.Name].ExecuteTemplate(&body, "layout.html", data); err != nil {
		return fmt.Errorf("authtest: page %s: %w", p.Name, err)
	}
	header := w.Header()
	for _, cookie := range p.Cookies {
		http.SetCookie(w, cookie)
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src "+set.hash+"; img-src data:; form-action "+p.formAction()+
		"; frame-ancestors 'none'; base-uri 'none'")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	// Without a referrer browsers send forms with the origin "null", which cannot
	// be told from a foreign one. The page's own origin may know its address.
	header.Set("Referrer-Policy", "same-origin")
	if p.Private {
		header.Set("Referrer-Policy", "no-referrer")
	}
	header.Del("Access-Control-Allow-Origin") // no other origin may read a page
	header.Del("Access-Control-Expose-Headers")
	w.WriteHeader(p.Status)
	_, err = w.Write(body.Bytes())
	return err
}

// formAction returns where the forms of the page may lead. A page that ends at a
// client cannot name the client's origin: the client may redirect to other origins,
// and browsers check the whole chain. It names the schemes, so that no form runs a
// script.
func (p Page) formAction() string {
	if p.RedirectURI == "" {
		return "'self'"
	}
	allowed := "'self' https: http:"
	if target, err := url.Parse(p.RedirectURI); err == nil && schemePattern().MatchString(target.Scheme) &&
		target.Scheme != "http" && target.Scheme != "https" {
		allowed += " " + target.Scheme + ":"
	}
	return allowed
}

// Error is the page that says what is wrong and what to do.
func Error(status int, code, detail string) Page {
	advice := "Go back to the application and start again."
	switch code {
	case "UNKNOWN_SCOPE_ERROR":
		advice = "The application requested scopes that do not exist here. Check their spelling, or add them to the test double."
	case "OAUTH_AUTH_REQUEST_FAILURE":
		advice = "The request is invalid. Nothing was sent to the application, because the request may not come from it. Check the client ID, the redirect URI and the parameters."
	case "REQUIRED_IDENTITY_MISSING":
		advice = "The application requires an identity that you do not have. Sign in as another user, or link the identity, and start again from the application."
	case formRefused:
		advice = "Go back, reload the page, and try again. Cookies must be allowed for this site."
	}
	return Page{
		Status: status, Name: "error.html", Title: "Something went wrong",
		View: struct{ Code, Detail, Advice string }{code, detail, advice},
	}
}

// NotFound is the page at a path that has none.
func NotFound(path string) Page {
	return Page{Status: http.StatusNotFound, Name: "not-found.html", Title: "No such page", View: Clip(path, LongestField)}
}

const formRefused = "FORM_REFUSED"

// Refused is the page after a form that is not from a page of this server.
func Refused() Page {
	return Error(http.StatusForbidden, formRefused, "The form was not sent from this page, or it is too old.")
}

// UnknownAction is the page after a form that has no known action.
func UnknownAction() Page { return Error(http.StatusBadRequest, formRefused, "Unknown action.") }

// Duration writes a duration in its two largest units.
func Duration(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		n := d / unit.length
		if n == 0 || len(parts) == 2 {
			continue
		}
		part := strconv.Itoa(int(n)) + " " + unit.name
		if n > 1 {
			part += "s"
		}
		parts = append(parts, part)
		d -= n * unit.length
	}
	if len(parts) == 0 {
		return "0 seconds"
	}
	return strings.Join(parts, " and ")
}

// Clip shortens a text to a number of bytes, between characters.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
