package login_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/flows/login"
)

// failingSessions fail from the nth call on.
type failingSessions struct {
	login.Sessions
	fail func(call string) bool
}

func (s failingSessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	if s.fail("add " + strings.SplitN(key, "-", 2)[0]) {
		return false, errTest
	}
	return s.Sessions.Add(ctx, key, data, expiry)
}

func (s failingSessions) Get(ctx context.Context, key string) ([]byte, error) {
	if s.fail("get " + strings.SplitN(key, "-", 2)[0]) {
		return nil, errTest
	}
	return s.Sessions.Get(ctx, key)
}

func (s failingSessions) Take(ctx context.Context, key string) ([]byte, error) {
	if s.fail("take " + strings.SplitN(key, "-", 2)[0]) {
		return nil, errTest
	}
	return s.Sessions.Take(ctx, key)
}

func TestWeb_SessionsFail(t *testing.T) {
	t.Parallel()
	failing := ""
	p := newPortal(t, func(c *login.WebConfig) {
		c.Sessions = failingSessions{&login.MemorySessions{}, func(call string) bool { return call == failing }}
	})
	v := p.visitor()
	v.login()
	expect := func(call string, do func() page) {
		t.Helper()
		failing = call
		got := do()
		failing = ""
		if got.status < 500 || strings.Contains(got.body, errTest.Error()) {
			t.Errorf("%s: %v", call, got)
		}
	}
	redirect, callback := v.start("/login")
	expect("add used", func() page { return v.get(redirect + "?" + callback.Encode()) })
	expect("add session", func() page { return v.get(redirect + "?" + callback.Encode()) })
	v.login()
	redirect, callback = v.start("/login")
	expect("take session", func() page { return v.get(redirect + "?" + callback.Encode()) })
	expect("get session", func() page { return v.get("/who") })
	expect("take session", func() page { return v.send(http.MethodPost, "/logout", nil) })
	p.provider.refuse = "no"
	redirect, callback = v.start("/login")
	failing = "take used"
	if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusForbidden || !errors.Is(p.errors()[len(p.errors())-2], errTest) {
		t.Errorf("take used: %v", got)
	}
}

// A token that cannot be revoked is forgotten all the same.
func TestWebLogout_WithoutService(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	v.login()
	p.provider.CloseClientConnections()
	p.provider.Close()
	if out := v.send(http.MethodPost, "/logout", nil); out.status != http.StatusSeeOther || v.who() != "" {
		t.Errorf("logout: %v", out)
	}
	if len(p.errors()) != 1 {
		t.Errorf("told %v", p.errors())
	}
}

func TestMemorySessions_ExpiryAndLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		m := &login.MemorySessions{Limit: 2}
		add := func(key, data string, lifetime time.Duration) (bool, error) {
			return m.Add(ctx, key, []byte(data), time.Now().Add(lifetime))
		}
		data := []byte("data")
		if added, err := m.Add(ctx, "a", data, time.Now().Add(time.Minute)); !added || err != nil {
			t.Fatal(added, err)
		}
		data[0] = 'X'
		got, err := m.Get(ctx, "a")
		if err != nil || string(got) != "data" {
			t.Errorf("get: %q, %v", got, err)
		}
		got[0] = 'X'
		if got, _ := m.Get(ctx, "a"); string(got) != "data" {
			t.Errorf("get after a change: %q", got)
		}
		if added, err := add("b", "", time.Hour); !added || err != nil {
			t.Error(added, err)
		}
		if added, err := add("c", "", time.Hour); added || !errors.Is(err, login.ErrFull) {
			t.Errorf("third: %v, %v", added, err)
		}
		for _, key := range []string{"a", "b"} {
			if added, err := add(key, "new", time.Minute); added || err != nil {
				t.Errorf("%s again: %v, %v", key, added, err)
			}
		}
		time.Sleep(time.Minute)
		if got, _ := m.Get(ctx, "a"); got != nil {
			t.Errorf("expired: %q", got)
		}
		if added, err := add("a", "new", time.Minute); !added || err != nil {
			t.Errorf("again after the end: %v, %v", added, err)
		}
		time.Sleep(time.Minute)
		if added, err := add("c", "c", time.Hour); !added || err != nil {
			t.Errorf("after one expired: %v, %v", added, err)
		}
		if got, _ := m.Take(ctx, "c"); string(got) != "c" {
			t.Errorf("take: %q", got)
		}
		if got, _ := m.Take(ctx, "c"); got != nil {
			t.Errorf("second take: %q", got)
		}
	})
}
