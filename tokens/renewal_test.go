package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
)

func TestRefreshingToken_InvalidGrantIsFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		s.refresh = "revoked"
		time.Sleep(49 * time.Hour)
		for range 3 {
			_, err := source.Token(t.Context())
			if !errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, apierror.ErrInvalidGrant) {
				t.Fatalf("error %v, want ErrLoginRequired and ErrInvalidGrant", err)
			}
			time.Sleep(time.Hour)
		}
		if s.count() != 1 {
			t.Errorf("the refused refresh token was sent %d times", s.count())
		}
		if got := stored(t, store); got.RefreshToken != "R0" {
			t.Errorf("the store was changed: %v", got)
		}
		// A login, by whomever, ends it.
		put(t, store, mustSet(t, s.issue()))
		want(t, source, "A1")
	})
}

func TestRefreshingToken_InvalidGrantByAnotherProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		foreign := &foreignWriter{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: foreign, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		s.calls = 7
		foreign.next = mustSet(t, s.issue()) // the service has rotated, and the other program stores the response in a moment
		want(t, source, "A7")
		if s.count() != 8 {
			t.Errorf("%d refreshes, want 1", s.count()-7)
		}
	})
}

func TestRefreshingToken_InvalidGrantAndTheOtherTokenIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		foreign := &foreignWriter{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: foreign, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		s.calls = 7
		due := s.issue()
		due.Expiry = time.Now().Add(30 * time.Second)
		foreign.next = mustSet(t, due)
		want(t, source, "A9")
	})
}

// foreignWriter changes the store behind the back of an update, as a program does that knows no lock.
type foreignWriter struct {
	*tokens.Memory
	next    tokens.Set
	changed bool
}

func (f *foreignWriter) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	set, err := f.Memory.Update(ctx, key, fn)
	if err != nil && !f.changed {
		f.changed = true
		_, updateErr := f.Memory.Update(context.WithoutCancel(ctx), key, func(tokens.Set) (tokens.Set, error) { return f.next, nil })
		err = errors.Join(err, updateErr)
	}
	return set, err
}

func TestRefreshingToken_FailureIsNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		cause := errors.New("connection reset")
		s.fail(cause)
		time.Sleep(49 * time.Hour)
		_, err := source.Token(t.Context())
		if !errors.Is(err, cause) || errors.Is(err, tokens.ErrLoginRequired) || s.count() != 1 {
			t.Fatalf("error %v after %d refreshes", err, s.count())
		}
		s.fail(nil)
		if got := stored(t, store).RefreshToken; got != "R0" {
			t.Fatalf("the store holds %q", got)
		}
		want(t, source, "A2")
	})
}

func TestRefreshingToken_OldTokenWhileRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		s.delay = 0
		cause := errors.New("service unavailable")
		s.fail(cause)
		time.Sleep(48*time.Hour - 60*time.Second) // due, but accepted for another minute
		for i := range 10 {
			want(t, source, "A0")
			want(t, source, "A0") // without another attempt
			if s.count() != i+1 {
				t.Fatalf("%d attempts after %d pauses", s.count(), i)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(10 * time.Second)
		if _, err := source.Token(t.Context()); !errors.Is(err, cause) {
			t.Fatalf("error %v, want the cause, now that the token has ended", err)
		}
		s.fail(nil)
		want(t, source, "A12")
	})
}

func TestRefreshingToken_UnreadableStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		want(t, source, "A0")
		faulty.load = errors.New("damaged")
		time.Sleep(time.Hour)
		want(t, source, "A0")
		time.Sleep(47*time.Hour - 10*time.Second) // due, still accepted
		want(t, source, "A0")
		time.Sleep(10 * time.Second)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.load) {
			t.Fatalf("error %v, want the store's", err)
		}
	})
}

type faultyStore struct {
	*tokens.Memory
	load, save error
}

func (f *faultyStore) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	if f.load != nil {
		return tokens.Set{}, f.load
	}
	return f.Memory.Load(ctx, key)
}

func (f *faultyStore) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	if f.save == nil {
		return f.Memory.Update(ctx, key, fn)
	}
	current, err := f.Memory.Load(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	return next, f.save
}

func TestRefreshingToken_ResponseCannotBeStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		for range 3 {
			if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
				t.Fatalf("error %v, want the store's: no caller gets what is not stored", err)
			}
		}
		faulty.save = nil // there is room again
		want(t, source, "A1")
		if s.count() != 1 || stored(t, store).RefreshToken != "R1" {
			t.Errorf("%d refreshes, stored %v", s.count(), stored(t, store))
		}
	})
}

func TestRefreshingToken_UnstoredResponseGivesWayToALogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
			t.Fatalf("error %v", err)
		}
		faulty.save = nil
		s.calls = 9
		put(t, store, mustSet(t, s.issue()))
		want(t, source, "A9")
	})
}

func TestRefreshingToken_UnstoredResponseGivesWayToADueLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
			t.Fatalf("error %v", err)
		}
		faulty.save = nil
		s.calls = 9
		put(t, store, mustSet(t, s.issue()))
		time.Sleep(49 * time.Hour)
		want(t, source, "A10")
		if fmt.Sprint(s.sent) != "[R0 R9]" {
			t.Errorf("sent %v, want the refresh token of the login", s.sent)
		}
	})
}

func TestRefreshingToken_Grant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		grants := 0
		grant := func(context.Context) (tokens.Set, error) {
			grants++
			return tokens.NewSet(
				tokens.Token{AccessToken: fmt.Sprintf("G%d", grants), ResourceServer: transfer, Expiry: time.Now().Add(time.Hour), Lifetime: time.Hour},
				tokens.Token{AccessToken: "also", ResourceServer: "also"},
			)
		}
		store := tokens.NewMemory()
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: store, Key: testKey(), ResourceServer: transfer, Grant: grant})
		if err != nil {
			t.Fatal(err)
		}
		token := want(t, source, "G1") // although nothing is stored
		time.Sleep(59 * time.Minute)
		want(t, source, "G2")
		if _, err := source.Renew(t.Context(), token); err != nil || grants != 2 {
			t.Errorf("%d grants, %v", grants, err)
		}
		set, err := store.Load(t.Context(), testKey())
		if _, found := set.ByResourceServer("also"); err != nil || !found {
			t.Errorf("the other token of the response was not stored: %v", err)
		}
	})
}

func TestRefreshingToken_ResponseWithoutTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) {
				return tokens.NewSet(tokens.Token{AccessToken: "x", ResourceServer: "another"})
			}
		})
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "no token for this resource server") {
			t.Fatalf("error %v", err)
		}
		if got := stored(t, store); got.AccessToken != "A0" {
			t.Errorf("stored %v", got)
		}
	})
}

func TestRefreshingToken_OnChangeUsesTheSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var source *tokens.Refreshing
		var told tokens.Token
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.OnChange = func(ctx context.Context, token tokens.Token) error {
				told = token
				if same, err := source.Token(ctx); err != nil || same != token {
					t.Errorf("Token gave %v, %v", same, err)
				}
				return nil
			}
		})
		time.Sleep(49 * time.Hour)
		want(t, source, "A1")
		if told.AccessToken != "A1" || stored(t, store) != told {
			t.Errorf("told %v, stored %v", told, stored(t, store))
		}
	})
}

// A program that could not hand a token on is told, and the token is stored and offered again.
func TestRefreshingToken_OnChangeFails(t *testing.T) {
	t.Parallel()
	for name, noticed := range map[string]bool{"renewed": false, "stored by another process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				full := errors.New("no space left")
				fail := full
				var told []string
				s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
					c.OnChange = func(ctx context.Context, token tokens.Token) error {
						if ctx.Err() != nil {
							t.Errorf("the context of OnChange has ended: %v", ctx.Err())
						}
						told = append(told, token.AccessToken)
						return fail
					}
				})
				want(t, source, "A0")
				time.Sleep(49 * time.Hour)
				if noticed {
					s.calls = 1
					put(t, store, mustSet(t, s.issue()))
				}
				for range 2 {
					if token, err := source.Token(t.Context()); !errors.Is(err, full) || token != (tokens.Token{}) {
						t.Errorf("got %v, %v; want %v", token, err, full)
					}
					if got := stored(t, store); got.AccessToken != "A1" {
						t.Errorf("stored %v", got)
					}
				}
				fail = nil
				for range 3 {
					want(t, source, "A1")
					time.Sleep(time.Minute)
				}
				if fmt.Sprint(told) != "[A1 A1 A1]" || s.count() != 1 {
					t.Errorf("told %v, %d refreshes", told, s.count())
				}
			})
		})
	}
}

// The caller that began a renewal gives up; OnChange is not ended with it.
func TestRefreshingToken_OnChangeAfterItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inOnChange error
		_, _, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.OnChange = func(ctx context.Context, _ tokens.Token) error {
				<-ctx.Done()
				inOnChange = ctx.Err()
				return inOnChange
			}
		})
		time.Sleep(49 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if token, err := source.Token(ctx); err != nil || token.AccessToken != "A1" || time.Since(start) != 2*time.Second {
			t.Errorf("got %v, %v after %v", token, err, time.Since(start))
		}
		start = time.Now()
		if err := source.Wait(t.Context()); err != nil || time.Since(start) != 59*time.Second || !errors.Is(inOnChange, context.DeadlineExceeded) {
			t.Errorf("%v after %v; OnChange ended with %v", err, time.Since(start), inOnChange)
		}
	})
}

func TestNewRefreshing_InvalidConfig(t *testing.T) {
	t.Parallel()
	good := tokens.RefreshingConfig{
		Store: tokens.NewMemory(), Key: testKey(), ResourceServer: transfer,
		Grant: func(context.Context) (tokens.Set, error) { return tokens.Set{}, nil },
	}
	for name, row := range map[string]struct {
		want   string
		change func(*tokens.RefreshingConfig)
	}{
		"no store":           {"Store is nil", func(c *tokens.RefreshingConfig) { c.Store = nil }},
		"no resource server": {"ResourceServer is empty", func(c *tokens.RefreshingConfig) { c.ResourceServer = "" }},
		"no way":             {"either Refresh or Grant", func(c *tokens.RefreshingConfig) { c.Grant = nil }},
		"two ways": {"either Refresh or Grant", func(c *tokens.RefreshingConfig) {
			c.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) { return tokens.Set{}, nil }
		}},
		"negative RenewBefore": {"is negative", func(c *tokens.RefreshingConfig) { c.RenewBefore = -1 }},
		"no client":            {"the client ID is empty", func(c *tokens.RefreshingConfig) { c.Key.ClientID = "" }},
		"odd environment":      {"the environment \"../../\"", func(c *tokens.RefreshingConfig) { c.Key.Environment = "../../" }},
	} {
		config := good
		row.change(&config)
		if _, err := tokens.NewRefreshing(config); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
	}
}

func TestRefreshingFormat_HasNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := tokens.NewMemory()
		token := fullToken()
		token.Expiry = time.Now().Add(time.Hour)
		put(t, store, mustSet(t, token))
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: store, Key: testKey(), ResourceServer: transfer,
			Refresh: func(context.Context, tokens.Token) (tokens.Set, error) {
				return tokens.Set{}, &apierror.Error{Code: "invalid_grant"}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held := struct {
			source *tokens.Refreshing
			store  *tokens.Memory
		}{source, store}
		verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"}
		for _, verb := range verbs {
			check(t, "source "+verb, fmt.Sprintf(verb, source))
			check(t, "store "+verb, fmt.Sprintf(verb, store))
			check(t, "holder "+verb, fmt.Sprintf(verb, held))
		}
		_, err = source.Renew(t.Context(), first)
		if err == nil {
			t.Fatal("the refused refresh gave a token")
		}
		check(t, "error", err.Error())
		for _, verb := range verbs {
			check(t, "refused source "+verb, fmt.Sprintf(verb, source))
			check(t, "refused holder "+verb, fmt.Sprintf(verb, held))
		}
	})
}

func TestRefreshingFormat_UnstoredResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: &faultyStore{Memory: tokens.NewMemory(), save: errors.New("no space left")}, Key: testKey(), ResourceServer: transfer,
			Grant: func(context.Context) (tokens.Set, error) { return tokens.NewSet(fullToken()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.Token(t.Context()); err == nil {
			t.Fatal("the token was given out although it is not stored")
		}
		held := struct{ source *tokens.Refreshing }{source}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			check(t, "source "+verb, fmt.Sprintf(verb, source))
			check(t, "holder "+verb, fmt.Sprintf(verb, held))
		}
	})
}

// lagging is a store whose Load is behind its Update, as that of a broken replica.
type lagging struct {
	*tokens.Memory
	old     tokens.Set
	updates int
}

func (l *lagging) Load(context.Context, tokens.Key) (tokens.Set, error) { return l.old, nil }

func (l *lagging) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	if l.updates++; l.updates > 10 {
		return tokens.Set{}, errors.New("too often")
	}
	return l.Memory.Update(ctx, key, fn)
}

// A renewal ends although what Load returns never shows the refusal.
func TestRefreshingToken_LaggingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		token := stored(t, store)
		token.RefreshToken = "of before"
		lag := &lagging{Memory: store, old: mustSet(t, token)}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: lag, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		s.refresh = "revoked"
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) || lag.updates > 2 {
			t.Errorf("%v after %d updates", err, lag.updates)
		}
	})
}
