package login

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// Account is one identity that has logged in to a [Web].
type Account struct {
	Tokens tokens.Set
	// Claims are those of the verified ID token of the last login; nil if openid was not
	// asked for. Their Decode does not work in a session.
	Claims *idtoken.Claims
}

// owns reports whether the account is that of the identity in claims. An identity that
// is unknown owns nothing.
func (a *Account) owns(claims *idtoken.Claims) bool {
	return a.Claims != nil && claims != nil && strings.EqualFold(a.Claims.Sub, claims.Sub)
}

// Session is the session of one browser. It is a copy: changes of it are not kept.
type Session struct {
	// Account is the identity that has logged in.
	Account
	// Linked are further accounts that [Web.Link] has added, at most 8. Their logins never
	// count for the demands of [Web.Require].
	Linked []Account
	// Data is what OnLogin has put in its result.
	Data []byte
	// Introspection is what the service said of the session at Globus, at most 30 s ago:
	// who authenticated when, and the policies asked for. Only Require fills it, for
	// demands about that session.
	Introspection *gen.Introspection

	asked string    // digest of what a page asked the last login for
	since time.Time // when it began
}

// sets are the tokens of all accounts.
func (s *Session) sets() []tokens.Set {
	if s == nil {
		return nil
	}
	sets := []tokens.Set{s.Tokens}
	for _, account := range s.Linked {
		sets = append(sets, account.Tokens)
	}
	return sets
}

type storedSession struct {
	Accounts []storedAccount `json:"accounts"` // the first is that of the session
	Data     []byte          `json:"data,omitempty"`
	Asked    string          `json:"asked,omitempty"`
	Since    int64           `json:"since"`
}

type storedAccount struct {
	Tokens json.RawMessage `json:"tokens"`
	Claims *idtoken.Claims `json:"claims,omitempty"`
}

func (s *Session) marshal() ([]byte, error) {
	stored := storedSession{Data: s.Data, Asked: s.asked, Since: s.since.Unix()}
	for _, account := range append([]Account{s.Account}, s.Linked...) {
		set, err := account.Tokens.MarshalStorage()
		if err != nil {
			return nil, err
		}
		stored.Accounts = append(stored.Accounts, storedAccount{set, account.Claims})
	}
	return json.Marshal(stored)
}

// unmarshalSession reads what marshal wrote. Its errors do not quote the data.
func unmarshalSession(data []byte) (*Session, error) {
	var stored storedSession
	if json.Unmarshal(data, &stored) != nil || len(stored.Accounts) == 0 {
		return nil, errors.New("the stored session cannot be read")
	}
	s := &Session{Data: stored.Data, asked: stored.Asked, since: time.Unix(stored.Since, 0)}
	for _, account := range stored.Accounts {
		set, err := tokens.UnmarshalStorage(account.Tokens)
		if err != nil {
			return nil, err
		}
		s.Linked = append(s.Linked, Account{set, account.Claims})
	}
	s.Account, s.Linked = s.Linked[0], s.Linked[1:]
	return s, nil
}

// Session returns the session of the browser that sends the request; nil if no user is
// logged in. An error says that the store failed. Stored data that is not a session is reported to
// OnError, and means that no user is logged in.
func (web *Web) Session(r *http.Request) (_ *Session, err error) {
	defer prefix.Add(&err, "login: get session")
	return web.session(r, web.config.Sessions.Get)
}

// session is what one call of Sessions has of the browser's session.
//
//nolint:nilnil // no session is not an error
func (web *Web) session(r *http.Request, get func(context.Context, string) ([]byte, error)) (*Session, error) {
	key := web.sessionKey(r)
	if key == "" {
		return nil, nil
	}
	data, err := get(r.Context(), key)
	if err != nil || data == nil {
		return nil, err
	}
	session, err := unmarshalSession(data)
	if err != nil {
		web.config.OnError(r, fmt.Errorf("login: read session: %w", err))
		return nil, nil
	}
	return session, nil
}

// revoke ends the tokens of some sets at the service, other than those that keep
// holds too. The request's context does not end it; ten seconds do.
func (web *Web) revoke(r *http.Request, attempt string, keep *Session, sets ...tokens.Set) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	for _, set := range sets {
		if _, err := web.config.Flow.RevokeSet(ctx, set, keep.sets()...); err != nil {
			web.config.OnError(r, fmt.Errorf("%w (to %s)", err, attempt))
		}
	}
}

// Sessions keeps what a [Web] must remember between requests: who is logged in,
// which callbacks have been used, and for 30 s what the service said of a session. A login that was only started needs no room. Keys
// are up to 64 letters, digits, '-' and '_'. Data holds secrets.
//
// Several processes that serve one portal need one Sessions between them. With
// Redis, Add is SET with NX and PXAT, Get is GET and Take is GETDEL; with SQL, Add is
// INSERT ... ON CONFLICT DO NOTHING and Take is DELETE ... RETURNING.
type Sessions interface {
	// Add stores data under key until expiry, unless something is stored there
	// already. Of several callers at once, one adds.
	Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error)
	// Get returns what is stored under key; nil if nothing is, or it has expired.
	Get(ctx context.Context, key string) ([]byte, error)
	// Take is Get, and removes what it returns. Of several callers at once,
	// one gets it.
	Take(ctx context.Context, key string) ([]byte, error)
}

// ErrFull says that a [MemorySessions] holds as much as it may.
var ErrFull = errors.New("too many sessions are held in memory")

// MemorySessions are the [Sessions] of one process. They end with it. The zero value
// is ready; it is safe for concurrent use.
type MemorySessions struct {
	// Limit is how many sessions, marks of the last logins and introspections for
	// Web.Require are held together. Zero means 100,000.
	Limit int

	now func() time.Time // nil means time.Now

	mu      sync.Mutex // guards what follows
	entries map[string]memorySession
	swept   time.Time
}

type memorySession struct {
	data   func() string // a function, so that printing does not show it
	expiry time.Time
}

// Add stores data. It fails with [ErrFull] when there is no room.
func (m *MemorySessions) Add(_ context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, limit := m.time(), cmp.Or(m.Limit, 100_000)
	if now.Sub(m.swept) >= time.Minute || len(m.entries) >= limit {
		m.swept = now
		maps.DeleteFunc(m.entries, func(_ string, entry memorySession) bool { return !now.Before(entry.expiry) })
	}
	if m.get(key) != nil {
		return false, nil
	}
	if len(m.entries) >= limit {
		return false, ErrFull
	}
	if m.entries == nil {
		m.entries = map[string]memorySession{}
	}
	kept := string(data)
	m.entries[key] = memorySession{data: func() string { return kept }, expiry: expiry}
	return true, nil
}

// Get returns what is stored.
func (m *MemorySessions) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(key), nil
}

// Take returns what is stored, and removes it.
func (m *MemorySessions) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.get(key)
	delete(m.entries, key)
	return data, nil
}

func (m *MemorySessions) get(key string) []byte {
	if entry, found := m.entries[key]; found && m.time().Before(entry.expiry) {
		return []byte(entry.data())
	}
	return nil
}

func (m *MemorySessions) time() time.Time {
	if m.now == nil {
		return time.Now()
	}
	return m.now()
}
