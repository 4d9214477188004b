package resourceserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/sharedcache"
	"github.com/globusauth/globusauth/tokens"
)

const (
	defaultCacheTime = 30 * time.Second
	maxCacheTime     = time.Hour
	defaultCacheSize = 10_000
	maxCacheSize     = 100_000_000
)

// Config configures an [API]. OAuth is required.
type Config struct {
	// OAuth is the resource server's own client: Auth, ClientID and ClientSecret are
	// required, the other fields are not used. Tokens must be issued for its ClientID.
	OAuth flows.Config
	// Rules apply to every request that Protect, or Optional with a token, handles.
	Rules []Rule
	// Details adds the linked identities and the session to every [CallerInfo]. Without it they are
	// there only if a rule needs them, and the cache takes less memory.
	Details bool

	// CacheTime is how long the introspection of a valid token is used, at most until
	// the token expires. Zero means 30 s; at most one hour. That a token is
	// invalid is remembered for 10 s at most.
	CacheTime time.Duration
	// CacheSize is the maximum number of tokens in each cache. Zero means 10,000; at
	// most 100,000,000. A cached token takes about 0.5 kB, more with Details. The groups of
	// all callers take at most 4 kB for each token.
	CacheSize int

	// SharedCache, if set, holds introspections that other processes use too, for as long as CacheTime
	// allows. Its keys are hashes keyed by the client secret: replicas with the same client share them.
	SharedCache sharedcache.Cache

	// Store keeps the refresh tokens of [CallerInfo.Offline]. Nil means that Offline is an error.
	Store tokens.Store
	// Observer, if set, counts what happens.
	Observer Observer
	// Deny writes the response to a denied request. Nil means [DeniedError.ServeHTTP].
	Deny func(w http.ResponseWriter, r *http.Request, denial *DeniedError)
}

// Observer counts what an [API] does, for metrics. Its methods are called from several goroutines at once, must
// return quickly, and learn nothing about the caller.
type Observer interface {
	// CacheHit is a request whose token was introspected before.
	CacheHit()
	// Introspection is an introspection that is sent.
	Introspection()
	// Denied is a response of [API.Deny] with this status; rule names the rules that were not met, if any.
	Denied(status int, rule string)
}

type noObserver struct{}

func (noObserver) CacheHit()          {}
func (noObserver) Introspection()     {}
func (noObserver) Denied(int, string) {}

// API protects handlers. It is safe for concurrent use. It has no background
// goroutines except requests in flight, which end within 10 s.
type API struct {
	config    Config // complete
	log       *slog.Logger
	now       func() time.Time
	secret    [32]byte // keys the hash of tokens
	shared    []byte   // likewise, for the shared cache
	groupsURL *url.URL

	mu    sync.Mutex            // guards changes of needs
	needs atomic.Pointer[needs] // of all rules so far

	callers   *otter.Cache[callerKey, *entry]
	dependent *otter.Cache[dependentKey, tokens.Token]
	groups    *otter.Cache[tokenKey, *membership]
	flights   singleflight.Group

	known, unknown lane // of introspections
}

// New checks the configuration and returns an API. It sends no request.
func New(config Config) (*API, error) {
	api, err := newAPI(config)
	if err != nil {
		return nil, fmt.Errorf("resourceserver: new: %w", err)
	}
	return api, nil
}

func newAPI(config Config) (*API, error) {
	switch {
	case config.OAuth.Auth == nil:
		return nil, errors.New("the field OAuth.Auth is nil; create a client with globusauth.New")
	case config.OAuth.ClientID == "" || config.OAuth.ClientSecret == "":
		return nil, errors.New("the field OAuth needs the ClientID and the ClientSecret of the resource server")
	case config.CacheTime < 0 || config.CacheTime > maxCacheTime:
		return nil, fmt.Errorf("the CacheTime %s is not between 0 and %s", config.CacheTime, maxCacheTime)
	case config.CacheSize < 0 || config.CacheSize > maxCacheSize:
		return nil, fmt.Errorf("the CacheSize %d is not between 0 and %d", config.CacheSize, maxCacheSize)
	}
	if config.CacheTime == 0 {
		config.CacheTime = defaultCacheTime
	}
	if config.CacheSize == 0 {
		config.CacheSize = defaultCacheSize
	}
	if config.Observer == nil {
		config.Observer = noObserver{}
	}
	if config.Deny == nil {
		config.Deny = func(w http.ResponseWriter, r *http.Request, denial *DeniedError) { denial.ServeHTTP(w, r) }
	}
	config.Rules = slices.Clone(config.Rules)
	api := &API{config: config, log: config.OAuth.Auth.Logger(), now: config.OAuth.Auth.Now, known: newLane(), unknown: newLane()}
	_, _ = rand.Read(api.secret[:]) // never fails
	var err error
	if api.shared, err = sharedSecret(config.OAuth); err != nil {
		return nil, err
	}
	if api.groupsURL, err = groupsURL(config.OAuth.Auth); err != nil {
		return nil, err
	}
	api.needs.Store(&needs{session: config.Details, details: config.Details})
	if err := api.admit(config.Rules); err != nil {
		return nil, err
	}
	if api.callers, err = otter.New(&otter.Options[callerKey, *entry]{MaximumSize: config.CacheSize}); err != nil {
		return nil, err
	}
	if api.dependent, err = otter.New(&otter.Options[dependentKey, tokens.Token]{MaximumSize: config.CacheSize}); err != nil {
		return nil, err
	}
	api.groups, err = otter.New(&otter.Options[tokenKey, *membership]{MaximumWeight: uint64(config.CacheSize) * groupsWeight, Weigher: weigh})
	return api, err
}

// Format prints the API without its secrets, whatever the verb.
func (a *API) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "resourceserver.API{%q}", a.config.OAuth.ClientID)
}
