package authtest

import (
	"sync"
	"time"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/scopes"
)

const authServer = scopes.AuthResourceServer

// engine is the state of a server. Every method that reads or changes it is
// called with mu held, unless its comment says otherwise; what leaves it is
// copied. Tokens point to what they depend on: a consent, credential or grant that
// is deleted or revoked is marked.
type engine struct {
	mu      sync.Mutex
	config  Config
	version uint64 // counts changes, for saving
	forms   *pages.Forms
	records
}

// records are what a reset replaces.
type records struct {
	random   *random
	advanced time.Duration

	providers  table[Provider]
	domains    map[string]*Provider // by domain
	identities map[string]*identity
	usernames  map[string]*identity // by lower-case username
	people     []*account           // in the order of their appearance; use persons
	gone       int                  // of the people, that became part of others
	groups     table[Group]

	clients  table[client]
	fqdns    map[string]*client
	scopes   table[scope]
	byScope  map[string]*scope // by scope string
	patterns []*scope          // whose scope strings have anyUUID
	projects table[Project]
	policies table[Policy]

	consents    map[consentKey]*consent
	lastConsent int64

	access, refresh tokenStore
	lastGrant       int64
	codes           map[string]*code
	codeList        []*code // oldest first
	sessions        sessionStore

	keys   keyring
	faults faultList
	stats  Stats
	log    []entry // oldest first
}

func newEngine(config Config) *engine {
	return &engine{config: config, forms: pages.NewForms(), records: records{
		random: newRandom(config.Deterministic), domains: map[string]*Provider{},
		identities: map[string]*identity{}, usernames: map[string]*identity{}, fqdns: map[string]*client{}, byScope: map[string]*scope{},
		consents: map[consentKey]*consent{}, lastConsent: 1000,
		access: newTokenStore(), refresh: newTokenStore(), codes: map[string]*code{},
		sessions: newSessionStore(), stats: newStats(),
	}}
}

// changed notes that the state is not what was saved any more.
func (e *engine) changed() { e.version++ }
