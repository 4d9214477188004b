package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Add adds to the world what a document holds; its State is not read.
func (s *Server) Add(world World) error {
	e := s.engine
	e.mu.Lock()
	err := e.add(world)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	for _, fault := range world.Faults {
		if _, err := e.inject(fault); err != nil {
			return err
		}
	}
	return nil
}

// must ends the test for a mistake in what a helper was given.
func (s *Server) must(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// AddUser adds a person and returns the entry with its IDs. The username's domain
// gets an identity provider if none has it. A mistake, such as a username that is
// taken, ends the test; so it is with the other Add methods.
func (s *Server) AddUser(user User) User {
	s.must(s.Add(World{Users: []User{user}}))
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	added := e.findIdentity(user.Username)
	if added == nil {
		return user
	}
	entry := added.entry()
	for _, linked := range added.identitySet()[1:] {
		entry.Linked = append(entry.Linked, linked.entry())
	}
	return entry
}

// AddClient adds a client with its scopes and returns the entry with its IDs.
func (s *Server) AddClient(client Client) Client {
	s.name(&client.ID)
	s.must(s.Add(World{Clients: []Client{client}}))
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	added := e.clients[strings.ToLower(client.ID)]
	if added == nil {
		return client
	}
	entry := added.entry()
	if len(entry.Credentials) > 0 {
		entry.Secret = entry.Credentials[0].Secret
	}
	return entry
}

// AddProject adds a project and returns the entry with its ID.
func (s *Server) AddProject(project Project) Project {
	s.name(&project.ID)
	s.must(s.Add(World{Projects: []Project{project}}))
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if added := e.projects[strings.ToLower(project.ID)]; added != nil {
		return added.entry()
	}
	return project
}

// AddPolicy adds a policy and returns the entry with its ID.
func (s *Server) AddPolicy(policy Policy) Policy {
	s.name(&policy.ID)
	s.must(s.Add(World{Policies: []Policy{policy}}))
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if added := e.policies[strings.ToLower(policy.ID)]; added != nil {
		return added.entry()
	}
	return policy
}

// name makes an ID for an entry that has none, so that it can be found again.
func (s *Server) name(id *string) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if *id == "" {
		*id = s.engine.random.uuid()
	}
}

// Link makes two identities, named by username or ID, one person's.
func (s *Server) Link(first, second string) {
	e := s.engine
	e.mu.Lock()
	a, b := e.findIdentity(first), e.findIdentity(second)
	if a != nil && b != nil && a.account != nil && b.account != nil {
		e.link(a, b)
	}
	e.mu.Unlock()
	if a == nil || b == nil || a.account == nil || b.account == nil {
		s.fail("authtest: link %q and %q: both must be people", first, second)
	}
}

// Login does what a person would do in a browser: it opens the URL of an
// authorization request, signs in as the user, consents to everything, and
// returns the URL that the browser is sent to in the end, with the code or the
// error in its query. The error is for a request that ends on a page instead.
func (s *Server) Login(ctx context.Context, username, authorizeURL string) (*url.URL, error) {
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
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("authtest: log in: %w", withoutURL(err))
	}
	defer answer.Body.Close() //nolint:errcheck // Nothing depends on it.
	if answer.StatusCode == http.StatusFound {
		return answer.Location()
	}
	page, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("authtest: log in: status %d: %w", answer.StatusCode, err)
	}
	return nil, fmt.Errorf("authtest: log in: status %d: %s", answer.StatusCode, pageText(string(page)))
}

// LoginAs returns the login of a user as a function of the link: with the package
// flows/login, login.Func(server.LoginAs("alice@example.edu")) is a login.Manager.
func (s *Server) LoginAs(username string) func(ctx context.Context, link string) (*url.URL, error) {
	return func(ctx context.Context, link string) (*url.URL, error) { return s.Login(ctx, username, link) }
}

// withoutURL takes the URL, which has secrets in its query, out of a client's error.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// pageText returns what a page of this package says, without its markup.
func pageText(page string) string {
	if _, main, found := strings.Cut(page, "<main"); found {
		page = "<main" + main
	}
	var text strings.Builder
	inTag := false
	for _, r := range page {
		switch {
		case r == '<':
			inTag = true
			text.WriteByte(' ')
		case r == '>':
			inTag = false
		case !inTag:
			text.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// Grant says which tokens [Server.Issue] shall make.
type Grant struct {
	User    string        // username or identity ID; empty: the client itself
	Client  string        // ID of the client that they are issued to
	Scopes  []string      // of one or more resource servers
	Refresh bool          // whether refresh tokens come with them
	Age     time.Duration // how long ago they were issued
	MFA     bool          // whether the person signed in with a second factor
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
	e := s.engine
	e.mu.Lock()
	issued, err := e.issueByHand(g)
	e.mu.Unlock()
	s.must(err)
	return issued
}

func (e *engine) issueByHand(g Grant) ([]Issued, error) {
	c := e.clients[strings.ToLower(g.Client)]
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
	i := issue{client: c, identity: person, offline: g.Refresh, grant: &grant{}}
	if person.client == nil {
		i.session = e.newSession()
		e.authenticate(i.session, person, g.MFA)
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

// ExpireToken ends the life of an access or refresh token now and reports whether
// there was one.
func (s *Server) ExpireToken(value string) bool {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	found := false
	if token := e.access[value]; token != nil {
		e.dropAccess(token)
		found = true
	}
	if token := e.refresh[value]; token != nil {
		e.dropRefresh(token)
		found = true
	}
	e.changed()
	return found
}

// RevokeConsents revokes the consents of a user, named by username or ID; with
// which, only those to these scopes or with these consent IDs. The tokens that depend
// on them become invalid. It returns the number of revoked consents.
func (s *Server) RevokeConsents(user string, which ...string) int {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	owner := e.findIdentity(user)
	if owner == nil {
		s.fail("authtest: revoke consents: there is no user %q", user)
		return 0
	}
	revoked := 0
	for _, c := range owner.consents {
		if !c.revoked && (len(which) == 0 || slices.Contains(which, c.scope.text) || slices.Contains(which, strconv.FormatInt(c.id, 10))) {
			e.revokeConsent(c)
			revoked++
		}
	}
	return revoked
}
