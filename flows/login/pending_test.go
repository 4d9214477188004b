package login_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

// countingSessions count what is added.
type countingSessions struct {
	login.Sessions

	mu    sync.Mutex
	added int
}

func (s *countingSessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	s.mu.Lock()
	s.added++
	s.mu.Unlock()
	return s.Sessions.Add(ctx, key, data, expiry)
}

// Logins that strangers begin, however many, take no room and end no other login.
func TestWebStart_Flood(t *testing.T) {
	t.Parallel()
	sessions := &countingSessions{Sessions: &login.MemorySessions{Limit: 10}}
	p := newPortal(t, func(c *login.WebConfig) { c.Sessions = sessions })
	v, later := p.visitor(), p.visitor()
	redirect, callback := v.start("/login?next=/jobs")
	start := http.HandlerFunc(p.web.Start)
	for range 10_000 {
		w := httptest.NewRecorder()
		start.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login", nil))
		if w.Code != http.StatusSeeOther {
			t.Fatalf("status %d", w.Code)
		}
	}
	if sessions.added != 0 {
		t.Errorf("%d entries", sessions.added)
	}
	if got := v.get(redirect + "?" + callback.Encode()); got.header.Get("Location") != "/jobs" {
		t.Errorf("a login from before: %v", got)
	}
	later.login()
}

// Callbacks with invented codes leave no data behind.
func TestWebCallback_Flood(t *testing.T) {
	t.Parallel()
	p := newPortal(t, func(c *login.WebConfig) { c.Sessions = &login.MemorySessions{Limit: 2} })
	for range 10 {
		v := p.visitor()
		redirect, callback := v.start("/login")
		callback.Set("code", "guessed")
		if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusForbidden {
			t.Fatalf("got %v", got)
		}
	}
	p.visitor().login()
}

// cookieHeader is what the browser sends to the portal.
func (v visitor) cookieHeader() string {
	site, err := url.Parse(v.portal.URL)
	if err != nil {
		v.portal.t.Fatal(err)
	}
	var all []string
	for _, cookie := range v.Jar.Cookies(site) {
		all = append(all, cookie.String())
	}
	return strings.Join(all, "; ")
}

// The newest logins of a browser can be finished, and what it has to keep is bounded:
// servers in front of a portal refuse requests with more than 8 kB of cookies.
func TestWebStart_ManyInOneBrowser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next string
		keep int
	}{"short": {"/jobs", 8}, "long": {"/" + strings.Repeat("a", 1500), 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPortal(t, nil)
			v := p.visitor()
			var redirect string
			callbacks := make([]url.Values, 20)
			for i := range callbacks {
				// One after the other, by the clock.
				p.mu.Lock()
				p.now = p.now.Add(time.Second)
				p.mu.Unlock()
				redirect, callbacks[i] = v.start("/login?next=" + test.next)
				if size := len(v.cookieHeader()); size > 7000 {
					t.Fatalf("%d bytes of cookies", size)
				}
			}
			for i, callback := range callbacks {
				want := http.StatusBadRequest
				if i >= len(callbacks)-test.keep {
					want = http.StatusSeeOther
				}
				if got := v.get(redirect + "?" + callback.Encode()); got.status != want {
					t.Errorf("login %d: %v, want %d", i, got.status, want)
				}
			}
			if strings.Contains(v.cookieHeader(), "login") {
				t.Errorf("the browser still has %s", v.cookieHeader())
			}
		})
	}
}

// A browser that opens many pages at once starts many logins with no cookie.
func TestWebStart_ManyAtOnce(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { v.get("/login") })
	}
	all.Wait()
	if size := len(v.cookieHeader()); size > 7000 {
		t.Errorf("%d bytes of cookies", size)
	}
	v.login()
}

func TestWebStart_TooLong(t *testing.T) {
	t.Parallel()
	v := newPortal(t, nil).visitor()
	for _, target := range []string{"/login?next=/" + strings.Repeat("a", 2100), "/login?" + strings.Repeat("&", 1900)} {
		if got := v.get(target); got.status != http.StatusBadRequest || v.cookieHeader() != "" {
			t.Errorf("%d bytes: %v, %d bytes of cookies", len(target), got.status, len(v.cookieHeader()))
		}
	}
}

// replica is another process that serves the same portal.
func (p *portal) replica(change func(*login.WebConfig)) *login.Web {
	p.t.Helper()
	config := login.WebConfig{Flow: flows.Config{
		Auth: p.provider.client(p.t, p.clock), ClientID: clientID, ClientSecret: clientSecret,
		Scopes: scopes.List{scopes.TransferAll}, RedirectURI: p.URL + "/cb",
	}}
	change(&config)
	web, err := login.NewWeb(config)
	if err != nil {
		p.t.Fatal(err)
	}
	return web
}

func TestWebCallback_OnAnotherReplica(t *testing.T) {
	t.Parallel()
	sessions := &login.MemorySessions{}
	p := newPortal(t, func(c *login.WebConfig) { c.Sessions = sessions })
	v := p.visitor()
	redirect, callback := v.start("/login?next=/jobs")
	target := redirect + "?" + callback.Encode()
	at := func(web *login.Web) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Header.Set("Cookie", v.cookieHeader())
		w := httptest.NewRecorder()
		web.Callback(w, r)
		return w
	}
	for name, change := range map[string]func(*login.WebConfig){
		"secret":       func(c *login.WebConfig) { c.Flow.ClientSecret = "another" },
		"redirect URI": func(c *login.WebConfig) { c.Flow.RedirectURI = "https://another.example/cb" },
		"client":       func(c *login.WebConfig) { c.Flow.ClientID = "11111111-839d-44e3-8047-10a502612dca" },
	} {
		if w := at(p.replica(change)); w.Code != http.StatusBadRequest {
			t.Errorf("a portal with another %s: %v", name, w.Code)
		}
	}
	one := p.replica(func(c *login.WebConfig) { c.Sessions = sessions })
	if w := at(one); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/jobs" {
		t.Errorf("another replica: %v", w)
	}
	// It is used up for all of them.
	if w := at(p.web); w.Code != http.StatusBadRequest || p.provider.count() != 1 {
		t.Errorf("again: %v, %d exchanges", w.Code, p.provider.count())
	}
}

func TestWebCallback_ChangedCookie(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	redirect, callback := v.start("/login")
	name, value, _ := strings.Cut(v.cookieHeader(), "=")
	for i := range value {
		changed := value[:i] + string(value[i]^1) + value[i+1:]
		for _, header := range []string{name + "=" + changed, name + "=" + value[:i], name + "=" + value + "; " + name + "=" + value} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, redirect+"?"+callback.Encode(), nil)
			r.Header.Set("Cookie", header)
			w := httptest.NewRecorder()
			p.web.Callback(w, r)
			if w.Code != http.StatusBadRequest {
				t.Fatalf("byte %d: status %d", i, w.Code)
			}
		}
	}
	if p.provider.count() != 0 {
		t.Errorf("%d exchanges", p.provider.count())
	}
}
