package login_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows/login"
)

// failingSessions fail from the nth call on.
type failingSessions struct {
	login.Sessions
	fail func(call string) bool
}

func (s failingSessions) Put(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if s.fail("put " + strings.SplitN(key, "-", 2)[0]) {
		return errTest
	}
	return s.Sessions.Put(ctx, key, data, expiry)
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

func TestWebSessionsFail(t *testing.T) {
	t.Parallel()
	failing := ""
	p := newPortal(t, func(c *login.WebConfig) {
		c.Sessions = failingSessions{login.NewMemorySessions(0, c.Flow.Client.Now), func(call string) bool { return call == failing }}
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
	expect("put login", func() page { return v.get("/login") })
	redirect, callback := v.start("/login")
	expect("take login", func() page { return v.get(redirect + "?" + callback.Encode()) })
	expect("put session", func() page { return v.get(redirect + "?" + callback.Encode()) })
	redirect, callback = v.start("/login")
	v.login()
	expect("take session", func() page { return v.get(redirect + "?" + callback.Encode()) })
	expect("get session", func() page { return v.get("/who") })
	expect("take session", func() page { return v.send(http.MethodPost, "/logout", nil) })
}

// A token that cannot be revoked is forgotten all the same.
func TestWebLogoutWithoutService(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	v.login()
	p.provider.CloseClientConnections()
	p.provider.Close()
	if out := v.send(http.MethodPost, "/logout", nil); out.status != http.StatusSeeOther || v.who() != "" {
		t.Errorf("logout: %v", out)
	}
	if len(p.errors()) != 2 {
		t.Errorf("told %v", p.errors())
	}
}

func TestMemorySessions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Unix(1_800_000_000, 0)
	m := login.NewMemorySessions(2, func() time.Time { return now })
	data := []byte("data")
	if err := m.Put(ctx, "a", data, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
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
	if err := m.Put(ctx, "b", nil, now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if err := m.Put(ctx, "c", nil, now.Add(time.Hour)); !errors.Is(err, login.ErrFull) {
		t.Errorf("third: %v", err)
	}
	if err := m.Put(ctx, "a", []byte("new"), now.Add(time.Minute)); err != nil {
		t.Errorf("replace: %v", err)
	}
	now = now.Add(time.Minute)
	if got, _ := m.Get(ctx, "a"); got != nil {
		t.Errorf("expired: %q", got)
	}
	if err := m.Put(ctx, "c", []byte("c"), now.Add(time.Hour)); err != nil {
		t.Errorf("after one expired: %v", err)
	}
	if got, _ := m.Take(ctx, "c"); string(got) != "c" {
		t.Errorf("take: %q", got)
	}
	if got, _ := m.Take(ctx, "c"); got != nil {
		t.Errorf("second take: %q", got)
	}
}
