package login_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
)

// person is a browser that follows redirects, from the portal to the pages of the
// service and back, and presses their buttons.
type person struct {
	*http.Client
	t    *testing.T
	at   *url.URL
	page *html.Node
	text string
	code int
}

func (g *globus) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	client := *g.Client()
	client.Jar = jar
	return &person{Client: &client, t: g.t, at: mustParse(g.t, g.URL)}
}

func (p *person) send(method, address string, form url.Values) *person {
	p.t.Helper()
	target, err := p.at.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
	}
	resp, err := p.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		p.page, err = html.Parse(strings.NewReader(string(body)))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.code, p.text = resp.Request.URL, resp.StatusCode, textOf(p.page)
	return p
}

func (p *person) open(address string) *person {
	p.t.Helper()
	return p.send(http.MethodGet, address, nil)
}

// press presses the first button with a text or a label.
func (p *person) press(button string) *person {
	p.t.Helper()
	for n := range p.page.Descendants() {
		if n.Data != "button" || (!strings.Contains(textOf(n), button) && !strings.HasPrefix(attribute(n, "aria-label"), button)) {
			continue
		}
		parent := n
		for parent.Data != "form" {
			parent = parent.Parent
		}
		form := url.Values{}
		for field := range parent.Descendants() {
			if field.Data == "input" && attribute(field, "type") != "checkbox" {
				form.Add(attribute(field, "name"), attribute(field, "value"))
			}
		}
		if name := attribute(n, "name"); name != "" {
			form.Set(name, attribute(n, "value"))
		}
		return p.send(http.MethodPost, attribute(parent, "action"), form)
	}
	p.t.Fatalf("no button %q on %s:\n%s", button, p.at.Path, p.text)
	return p
}

func (p *person) sees(text string) *person {
	p.t.Helper()
	if !strings.Contains(p.text, text) {
		p.t.Fatalf("%s (status %d) does not say %q:\n%s", p.at.Path, p.code, text, p.text)
	}
	return p
}

func textOf(n *html.Node) string {
	var text strings.Builder
	for n := range n.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestWebRequire_InBrowser(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	ids := map[string]string{}
	for _, user := range g.server.Snapshot().Users {
		ids[user.Username] = user.ID
	}
	g.require(login.Demand{Fresh: 15 * time.Minute})
	p := g.person()
	p.open("/page?id=1").press(alice).press("Allow").sees("the page of " + ids[alice])
	if p.at.RequestURI() != "/page?id=1" {
		t.Errorf("the browser is at %s", p.at)
	}
	g.server.Advance(time.Hour)
	p.open(g.URL + "/page").sees("Sign in again").press(alice).sees("the page of " + ids[alice])
	g.require(login.Demand{MFA: true})
	p.open("/page").press(alice).press("Confirm the second factor").sees("the page of " + ids[alice])
}

// Bob signs in at Globus in alice's browser, to be linked. What he does there counts
// for no demand on alice's session.
func TestWebLink_InBrowser(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	g.server.AddUser(authtest.User{Username: "carol@lab.example.org"})
	p := g.person()
	p.open("/login").press(alice).press("Allow")
	g.server.Advance(time.Hour)
	p.send(http.MethodPost, g.URL+"/link?next=/page", url.Values{}).sees("Sign in").press(bob).press("Allow").sees("the page of")
	session := g.whole(visitor{p.Client, g.portal})
	if session == nil || session.Claims.PreferredUsername != alice || len(session.Linked) != 1 || session.Linked[0].Claims.PreferredUsername != bob {
		t.Fatalf("session %v", session)
	}
	g.require(login.Demand{Fresh: 15 * time.Minute})
	p.open("/page").sees("Sign in again")
}
