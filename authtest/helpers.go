package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Add adds what a document holds to the world; its State is not read. After an
// error, the entries before the wrong one have been added.
func (s *Server) Add(world World) error {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.add(world)
}

// AddUser adds a user and returns the entry with its IDs. The domain of the username
// gets an identity provider if it has none. A mistake, such as a username that is
// taken, ends the test; so it is with the other methods that add and
// set something.
func (s *Server) AddUser(user User) User {
	return locked(s, func(e *engine) (User, error) {
		added, err := e.addUser(user)
		if err != nil {
			return user, err
		}
		return added.entry(), nil
	})
}

// AddClient adds a client with its scopes and returns the entry with its IDs.
func (s *Server) AddClient(client Client) Client {
	return locked(s, func(e *engine) (Client, error) {
		if client.ID == "" {
			client.ID = e.random.uuid()
		}
		if err := e.add(World{Clients: []Client{client}}); err != nil {
			return client, err
		}
		client = e.clients.get(client.ID).entry()
		if len(client.Credentials) > 0 {
			client.Secret = client.Credentials[0].Secret
		}
		return client, nil
	})
}

// AddPolicy adds a policy and returns the entry with its ID.
func (s *Server) AddPolicy(policy Policy) Policy {
	return locked(s, func(e *engine) (Policy, error) {
		added, err := e.addPolicy(policy)
		if err != nil {
			return policy, err
		}
		return added.copied(), nil
	})
}

// Link makes two identities, named by username or ID, one person's.
func (s *Server) Link(first, second string) {
	locked(s, func(e *engine) (any, error) {
		a, b := e.findIdentity(first), e.findIdentity(second)
		if a == nil || b == nil || a.account == nil || b.account == nil {
			return nil, fmt.Errorf("authtest: link %q and %q: both must be users", first, second)
		}
		e.link(a, b)
		return nil, nil
	})
}

// locked runs a helper under the lock. An error, which is a mistake in what the helper was given, ends
// the test.
func locked[T any](s *Server, do func(e *engine) (T, error)) T {
	s.engine.mu.Lock()
	result, err := do(s.engine)
	s.engine.mu.Unlock()
	if err != nil {
		s.fail("%v", err)
	}
	return result
}

// Login does what a person would do in a browser: it opens the URL of an
// authorization request, signs in as the user, consents to everything, and
// returns the URL that the browser is sent to in the end, with the code or the
// error in its query. The error is for a request that ends on a page instead.
func (s *Server) Login(ctx context.Context, username, authorizeURL string) (*url.URL, error) {
	return s.login(ctx, username, authorizeURL, nil)
}

// Browser returns [Server.Login] for one user whose browser keeps its session: identities
// that sign in one after the other, as authorization requests ask for them, add up in it. The function is a
// login.Func, and is safe for concurrent use.
func (s *Server) Browser(username string) func(ctx context.Context, authorizeURL string) (*url.URL, error) {
	jar, _ := cookiejar.New(nil) // never fails
	return func(ctx context.Context, authorizeURL string) (*url.URL, error) {
		return s.login(ctx, username, authorizeURL, jar)
	}
}

func (s *Server) login(ctx context.Context, username, authorizeURL string, jar http.CookieJar) (*url.URL, error) {
	parsed, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, errors.New("authtest: log in: the authorization URL cannot be parsed")
	}
	s.engine.mu.Lock()
	person := s.engine.findIdentity(username)
	s.engine.mu.Unlock()
	if person == nil {
		return nil, fmt.Errorf("authtest: log in: there is no user %q", username)
	}
	query := parsed.Query()
	query.Set("login_hint", username)
	parsed.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, parsed.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("authtest: log in: %w", err)
	}
	request.Header.Set("Accept", "*/*")
	client := s.Client()
	client.Jar = jar
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("authtest: log in: %w", withoutURL(err))
	}
	defer response.Body.Close() //nolint:errcheck // Only read.
	if response.StatusCode == http.StatusFound {
		return response.Location()
	}
	page, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("authtest: log in: status %d: %w", response.StatusCode, err)
	}
	return nil, fmt.Errorf("authtest: log in: status %d: %s", response.StatusCode, pageText(string(page)))
}

// withoutURL takes the URL, which has secrets in its query, out of a client's error.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

var tagPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<[^>]*>`) })

// pageText returns what a page of this package says, without its markup.
func pageText(page string) string {
	if at := strings.Index(page, "<main"); at >= 0 {
		page = page[at:]
	}
	return strings.Join(strings.Fields(tagPattern().ReplaceAllString(page, " ")), " ")
}

// Grant describes tokens for [Server.Issue].
type Grant struct {
	User    string        // username or identity ID; empty: the client itself
	Client  string        // ID of the client that they are issued to
	Scopes  []string      // of one or more resource servers
	Refresh bool          // whether refresh tokens come with them
	Age     time.Duration // how long ago they were issued
	MFA     bool          // whether the person signed in with a second factor
	Session []string      // further identities in the session: usernames or IDs, linked to User
}

// Issued is a token that [Server.Issue] made.
type Issued struct {
	AccessToken    string
	RefreshToken   string
	ResourceServer string
	Scope          string
	Expires        time.Time
}

// Issue makes tokens without any request, one for each resource server, as if the
// person had signed in and consented. An Age above the lifetime of access tokens
// makes expired ones. A mistake ends the test.
func (s *Server) Issue(g Grant) []Issued {
	return locked(s, func(e *engine) ([]Issued, error) { return e.issueByHand(g) })
}

func (e *engine) issueByHand(g Grant) ([]Issued, error) {
	c := e.clients.get(g.Client)
	if c == nil {
		return nil, fmt.Errorf("authtest: issue: there is no client %q", g.Client)
	}
	roots, unknown, _, err := e.parseScopes(strings.Join(g.Scopes, " "))
	if err != nil || len(unknown) > 0 || len(roots) == 0 {
		return nil, fmt.Errorf("authtest: issue: the scopes %q cannot be used: unknown are %q: %w", g.Scopes, unknown, err)
	}
	person := c.identity
	if g.User != "" {
		person = e.findIdentity(g.User)
	}
	if person == nil {
		return nil, fmt.Errorf("authtest: issue: there is no user %q", g.User)
	}
	e.advanced -= g.Age
	defer func() { e.advanced += g.Age }()
	i := issue{token: token{client: c, identity: person, login: e.newGrant()}, offline: g.Refresh}
	if person.client == nil {
		i.session = e.newSession()
		for _, name := range append(slices.Clone(g.Session), person.ID) {
			identity := e.findIdentity(name)
			if identity == nil || !identity.linkedWith(person) {
				return nil, fmt.Errorf("authtest: issue: %q is no identity linked to %q", name, person.Username)
			}
			e.authenticate(i.session, identity, g.MFA)
		}
	}
	for _, r := range roots {
		i.consents = append(i.consents, e.approve(person, c, r, g.Refresh, person.client != nil, nil))
	}
	documents, _ := e.issueTokens(i, "")
	var issued []Issued
	for _, d := range documents {
		issued = append(issued, Issued{
			AccessToken: d.AccessToken, RefreshToken: given(d.RefreshToken), ResourceServer: d.ResourceServer, Scope: d.Scope,
			Expires: e.now().Add(time.Duration(d.ExpiresIn) * time.Second),
		})
	}
	return issued, nil
}

// ExpireToken expires an access or refresh token and reports whether it existed.
func (s *Server) ExpireToken(value string) bool {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, store := range []*tokenStore{&e.access, &e.refresh} {
		if t := store.byValue[value]; t != nil {
			store.drop(t)
			e.changed()
			return true
		}
	}
	return false
}

// RevokeConsents revokes the consents of a user, named by username or ID; with
// which, only those to these scopes or with these consent IDs. The tokens that depend
// on them become invalid. It returns the number of revoked consents.
func (s *Server) RevokeConsents(user string, which ...string) int {
	return locked(s, func(e *engine) (revoked int, err error) {
		owner := e.findIdentity(user)
		if owner == nil {
			return 0, fmt.Errorf("authtest: revoke consents: there is no user %q", user)
		}
		for _, c := range owner.consents {
			if !c.revoked && (len(which) == 0 || slices.Contains(which, c.scope.text) || slices.Contains(which, strconv.FormatInt(c.ID, 10))) {
				e.revokeConsent(c)
				revoked++
			}
		}
		return revoked, nil
	})
}
