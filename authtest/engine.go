package authtest

import (
	"sync"
	"time"

	"github.com/globusauth/globusauth/scopes"
)

const authServer = scopes.AuthResourceServer

// engine is the state of a server. Every method that reads or changes it is
// called with mu held, unless its comment says otherwise; what leaves it is
// copied. Pointers between the records hold while both live: a record that is
// deleted is marked, so that whatever still points to it is dead as well.
type engine struct {
	mu       sync.Mutex
	config   Config
	random   *random
	advanced time.Duration
	version  uint64 // counts changes, for saving

	providers  map[string]*provider
	domains    map[string]*provider // by domain
	identities map[string]*identity
	usernames  map[string]*identity // by lower-case username
	people     []*account           // in the order of their appearance

	clients  map[string]*client
	fqdns    map[string]*client
	scopes   map[string]*scope // by ID
	byScope  map[string]*scope // by scope string
	patterns []*scope          // whose scope strings have anyUUID
	projects map[string]*project
	policies map[string]*policy
	ordered  order

	consents    map[consentKey]*consent
	lastConsent int64

	access   map[string]*accessToken
	expiries expiryQueue
	refresh  map[string]*refreshToken
	idle     refreshQueue
	codes    map[string]*code
	codeList []*code // oldest first
	sessions sessionStore

	keys   keyring
	pages  pageKeys
	faults faultList
	stats  statistics
	log    requestLog
}

// order keeps the IDs of records in the order of their creation: lists are
// answered in it.
type order struct {
	providers, clients, scopes, projects, policies []string
}

func newEngine(config Config) *engine {
	return &engine{
		config: config, random: newRandom(config.Deterministic),
		providers: map[string]*provider{}, domains: map[string]*provider{},
		identities: map[string]*identity{}, usernames: map[string]*identity{},
		clients: map[string]*client{}, fqdns: map[string]*client{},
		scopes: map[string]*scope{}, byScope: map[string]*scope{},
		projects: map[string]*project{}, policies: map[string]*policy{},
		consents: map[consentKey]*consent{}, lastConsent: 1000,
		access: map[string]*accessToken{}, refresh: map[string]*refreshToken{}, codes: map[string]*code{},
		sessions: newSessionStore(), stats: newStatistics(), log: newRequestLog(config.RecordedRequests),
		pages: newPageKeys(),
	}
}

// changed notes that the state is not what was saved any more.
func (e *engine) changed() { e.version++ }
