package authtest

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/globusauth/globusauth/internal/server"
)

//go:embed pages
var pageFiles embed.FS

// pageSet are the parsed pages and what allows their style sheet.
type pageSet struct {
	pages map[string]*template.Template
	style template.CSS
	hash  string // source expression of the style sheet, for the content security policy
}

// pageTemplates are parsed once per process, when the first page is shown.
var pageTemplates = sync.OnceValues(loadPages)

func loadPages() (*pageSet, error) {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, fmt.Errorf("authtest: pages: %w", err)
	}
	sum := sha256.Sum256(css)
	set := &pageSet{
		pages: map[string]*template.Template{},
		style: template.CSS(css), // our own file
		hash:  "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	}
	layout, err := template.ParseFS(pageFiles, "pages/layout.html")
	if err != nil {
		return nil, fmt.Errorf("authtest: pages: %w", err)
	}
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, fmt.Errorf("authtest: pages: %w", err)
	}
	for _, file := range files {
		if file.Name() == "layout.html" || file.Name() == "style.css" {
			continue
		}
		copied, err := layout.Clone()
		if err == nil {
			copied, err = copied.ParseFS(pageFiles, "pages/"+file.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("authtest: pages: %w", err)
		}
		set.pages[file.Name()] = copied
	}
	return set, nil
}

// page is one page for a person. Its view shares no memory with the state of the
// server: it is rendered after the lock was given back.
type page struct {
	status  int
	name    string // file in pages
	title   string
	wide    bool
	view    any
	cookies []*http.Cookie
	// leaves are where forms of the page may end: browsers hold redirects after
	// a form to form-action as well, and all that follow them.
	leaves  bool
	target  string // redirect URI, with leaves
	private bool   // its address is a secret: send it nowhere
}

// answer renders the page.
func (p page) answer() server.Answer {
	return func(w http.ResponseWriter) error { return p.write(w) }
}

func (p page) write(w http.ResponseWriter) error {
	set, err := pageTemplates()
	if err != nil {
		return err
	}
	var body bytes.Buffer
	data := struct {
		Title string
		Wide  bool
		Style template.CSS
		View  any
	}{p.title, p.wide, set.style, p.view}
	if err := set.pages[p.name].ExecuteTemplate(&body, "layout.html", data); err != nil {
		return fmt.Errorf("authtest: page %s: %w", p.name, err)
	}
	header := w.Header()
	for _, cookie := range p.cookies {
		http.SetCookie(w, cookie)
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src "+set.hash+"; img-src data:; form-action "+p.formAction()+
		"; frame-ancestors 'none'; base-uri 'none'")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	// Without a referrer browsers send forms with the origin "null", which could
	// not be told from a foreign one. The page's own origin may know its address.
	header.Set("Referrer-Policy", "same-origin")
	if p.private {
		header.Set("Referrer-Policy", "no-referrer")
	}
	header.Del("Access-Control-Allow-Origin") // pages are for people
	header.Del("Access-Control-Expose-Headers")
	w.WriteHeader(p.status)
	_, err = w.Write(body.Bytes())
	return err
}

// formAction says where the forms of the page may lead. A page that ends at a
// client cannot name the origin: the client may redirect to others in turn, and
// browsers check the whole chain. It names the schemes instead, so that no form
// runs a script.
func (p page) formAction() string {
	if !p.leaves {
		return "'self'"
	}
	allowed := "'self' https: http:"
	if target, err := url.Parse(p.target); err == nil && schemePattern.MatchString(target.Scheme) &&
		target.Scheme != "http" && target.Scheme != "https" {
		allowed += " " + target.Scheme + ":"
	}
	return allowed
}

// errorPage tells a person what is wrong.
func (e *engine) errorPage(status int, code, detail string) server.Answer {
	return page{
		status: status, name: "error.html", title: "Something is wrong",
		view: struct{ Code, Detail, Advice string }{code, detail, errorAdvice(code)},
	}.answer()
}

// errorAdvice says what to do about an error.
func errorAdvice(code string) string {
	switch code {
	case "UNKNOWN_SCOPE_ERROR":
		return "The application asked for scopes that do not exist here. Check their spelling, or add them to the world of the test double."
	case "OAUTH_AUTH_REQUEST_FAILURE":
		return "The application's request cannot be answered, and because it is not certain that the request came from the application, nothing was sent back to it. Check client ID, redirect URI and parameters."
	case "REQUIRED_IDENTITY_MISSING":
		return "The application asked for an identity that you do not have. Sign in as somebody else, or link the identity, and start again from the application."
	case "FORM_REFUSED":
		return "Go back, reload the page, and try again. Cookies have to be allowed for this site."
	}
	return "Go back to the application and start again."
}
