package authtest_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/globusauth/globusauth/authtest"
)

// surfer is a person with a browser that knows no JavaScript.
type surfer struct {
	tb     testing.TB
	peer   *peer
	client *http.Client
	at     *url.URL
	status int
	header http.Header
	doc    *html.Node
	left   *url.URL // where the browser was sent to outside of the server; nil: it is on a page
}

func newSurfer(tb testing.TB, p *peer) *surfer {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := *p.http
	client.Jar = jar
	at, err := url.Parse(p.server.BaseURL())
	if err != nil {
		tb.Fatal(err)
	}
	return &surfer{tb: tb, peer: p, client: &client, at: at}
}

// open types an address.
func (s *surfer) open(address string) *surfer {
	s.tb.Helper()
	return s.send(http.MethodGet, address, nil, nil)
}

// authorize opens an authorization request of the native client.
func (s *surfer) authorize(scope string, more ...string) *surfer {
	s.tb.Helper()
	return s.open("/v2/oauth2/authorize?" + s.peer.authorizeQuery(scope, more...).Encode())
}

// send sends a request as a browser does, and follows redirects on the server.
func (s *surfer) send(method, address string, form url.Values, header http.Header) *surfer {
	s.tb.Helper()
	origin := s.at.Scheme + "://" + s.at.Host
	for range 10 {
		target, err := s.at.Parse(address)
		if err != nil {
			s.tb.Fatal(err)
		}
		if target.Host != s.at.Host {
			s.left = target
			return s
		}
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		request, err := http.NewRequestWithContext(s.tb.Context(), method, target.String(), body)
		if err != nil {
			s.tb.Fatal(err)
		}
		request.Header.Set("Accept", "text/html,application/xhtml+xml")
		if form != nil {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Origin", origin)
			request.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		maps.Copy(request.Header, header)
		response, err := s.client.Do(request)
		if err != nil {
			s.tb.Fatal(err)
		}
		s.at, s.left, s.status, s.header = target, nil, response.StatusCode, response.Header
		doc, err := html.Parse(response.Body)
		_ = response.Body.Close()
		if err != nil {
			s.tb.Fatal(err)
		}
		if s.doc = doc; response.StatusCode < 300 || response.StatusCode >= 400 {
			return s
		}
		method, address, form = http.MethodGet, response.Header.Get("Location"), nil
	}
	s.tb.Fatal("too many redirects")
	return s
}

// elements returns the elements that a condition holds for.
func (s *surfer) elements(fits func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range s.doc.Descendants() {
		if n.Type == html.ElementNode && fits(n) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// textOf returns the words in a part of a page.
func textOf(n *html.Node) string {
	var text strings.Builder
	for each := range n.Descendants() {
		if each.Type == html.TextNode && each.Parent.Data != "style" {
			text.WriteString(each.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// sees ends the test unless the page has a text.
func (s *surfer) sees(texts ...string) *surfer {
	s.tb.Helper()
	if s.left != nil {
		s.tb.Fatalf("the browser left for %s, want a page with %q", s.left, texts)
	}
	got := textOf(s.doc)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			s.tb.Fatalf("the page (status %d) does not say %q:\n%s", s.status, text, got)
		}
	}
	return s
}

func (s *surfer) seesNot(text string) *surfer {
	s.tb.Helper()
	if got := textOf(s.doc); strings.Contains(got, text) {
		s.tb.Fatalf("the page says %q:\n%s", text, got)
	}
	return s
}

// follow follows the first link whose text begins so.
func (s *surfer) follow(text string) *surfer {
	s.tb.Helper()
	for _, link := range s.elements(func(n *html.Node) bool { return n.Data == "a" }) {
		if strings.HasPrefix(textOf(link), text) {
			return s.open(attribute(link, "href"))
		}
	}
	s.tb.Fatalf("no link %q on:\n%s", text, textOf(s.doc))
	return s
}

// form returns what the form with a button holds, filled in and the button
// pressed. A field whose value is "-" is left out.
func (s *surfer) form(button string, fields ...string) (action string, form url.Values) {
	s.tb.Helper()
	for _, b := range s.elements(func(n *html.Node) bool { return n.Data == "button" }) {
		if !strings.Contains(textOf(b), button) && !strings.HasPrefix(attribute(b, "aria-label"), button) {
			continue
		}
		parent := b
		for parent.Data != "form" {
			parent = parent.Parent
		}
		form = url.Values{}
		for n := range parent.Descendants() {
			name, value := attribute(n, "name"), attribute(n, "value")
			switch {
			case n.Data == "input" && (attribute(n, "type") != "checkbox" || has(n, "checked")):
				form.Add(name, value)
			case n.Data == "option" && n.Parent.Data == "select" && (has(n, "selected") || !form.Has(attribute(n.Parent, "name"))):
				form.Set(attribute(n.Parent, "name"), value) // the first unless another is chosen
			}
		}
		if name := attribute(b, "name"); name != "" {
			form.Add(name, attribute(b, "value"))
		}
		for i := 0; i < len(fields); i += 2 {
			if form.Set(fields[i], fields[i+1]); fields[i+1] == "-" {
				form.Del(fields[i])
			}
		}
		return attribute(parent, "action"), form
	}
	s.tb.Fatalf("no button %q on:\n%s", button, textOf(s.doc))
	return "", nil
}

// press fills the form of a button in and presses it.
func (s *surfer) press(button string, fields ...string) *surfer {
	s.tb.Helper()
	action, form := s.form(button, fields...)
	return s.send(http.MethodPost, action, form, nil)
}

// code returns the code with which the browser was sent to the client.
func (s *surfer) code() string {
	s.tb.Helper()
	if s.left == nil {
		s.tb.Fatalf("the browser is still on a page (status %d):\n%s", s.status, textOf(s.doc))
	}
	code := s.left.Query().Get("code")
	if code == "" || s.left.Query().Get("state") != "some state" {
		s.tb.Fatalf("the browser was sent to %s, want a code and the state", s.left)
	}
	return code
}

// introspect returns what the server says of a token of the native client for
// the confidential client.
func (p *peer) introspect(accessToken string) map[string]any {
	p.tb.Helper()
	return p.want(p.do("POST", "/v2/oauth2/token/introspect", p.confidential(), url.Values{
		"token": {accessToken}, "include": {"session_info,identity_set_detail"}, "authentication_policies": {p.ready.PolicyID},
	}), http.StatusOK).json(p.tb)
}

// pages is a server with pages for everybody.
func pages(tb testing.TB) (*peer, *surfer) {
	tb.Helper()
	p := newPeer(tb, authtest.Config{})
	return p, newSurfer(tb, p)
}
