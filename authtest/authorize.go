package authtest

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// authorization is a checked authorization request.
type authorization struct {
	params   server.AuthorizeParams
	client   *client
	scopes   []requested
	offline  bool
	required requirement
}

// code is an authorization code, with what its tokens have in common. Its login is that of the
// tokens that it gave; nil until it was used.
type code struct {
	token
	authorization *authorization
}

const (
	codeLifetime  = 10 * time.Minute // the most that RFC 6749 section 4.1.2 recommends, and enough to copy one by hand
	maxCodes      = 10000
	sessionCookie = "authtest_session"
)

// pageProblem is an error that is shown on a page and never reaches the client.
//
//nolint:errname // Named like the other problems.
type pageProblem struct{ code, detail string }

func (p *pageProblem) Error() string { return p.detail }

func pageError(code, detail string) error { return &pageProblem{code: code, detail: detail} }

// redirectProblem is an error that goes to the client in the redirect URI.
//
//nolint:errname // Named like the other problems.
type redirectProblem struct{ code, description string }

func (p *redirectProblem) Error() string { return "authtest: " + p.code + ": " + p.description }

var challengePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) })

// check validates an authorization request. The client and the redirect URI come
// first: as long as they are not known to be good, nothing is sent there.
func (e *engine) check(params server.AuthorizeParams, base string) (*authorization, error) {
	const failure = "OAUTH_AUTH_REQUEST_FAILURE"
	asking := e.clients.get(params.ClientID)
	if asking == nil {
		return nil, pageError(failure, "No client has the ID '"+params.ClientID+"'.")
	}
	if !asking.acceptsRedirect(params.RedirectURI, base) {
		return nil, pageError(failure, "The redirect URI '"+params.RedirectURI+"' is not registered for the client.")
	}
	a := &authorization{params: params, client: asking}
	roots, unknown, offline, err := e.parseScopes(params.Scope)
	switch {
	case params.ResponseType != server.ResponseTypeCode:
		return a, &redirectProblem{"unsupported_response_type", "Only the response type 'code' is offered"}
	case err != nil:
		return a, &redirectProblem{"invalid_scope", "The scope cannot be read: " + err.Error()}
	case len(unknown) > 0:
		return a, pageError("UNKNOWN_SCOPE_ERROR", "requested unknown scopes: ["+strings.Join(unknown, ", ")+"]")
	case len(roots) == 0:
		return a, &redirectProblem{"invalid_scope", "At least one scope is required"}
	}
	a.scopes = roots
	a.offline = offline || params.AccessType == server.AccessTypeOffline
	if err := checkChallenge(asking, params); err != nil {
		return a, err
	}
	a.required, err = e.requirementOf(a)
	return a, err
}

// checkChallenge applies the rules of PKCE: required of clients without a secret,
// S256 only.
func checkChallenge(asking *client, params server.AuthorizeParams) error {
	switch {
	case params.CodeChallenge == "" && params.CodeChallengeMethod != "":
		return &redirectProblem{"invalid_request", "code_challenge_method needs code_challenge"}
	case params.CodeChallenge == "" && asking.public():
		return &redirectProblem{"invalid_request", "code_challenge is required of clients without a secret"}
	case params.CodeChallenge == "":
		return nil
	case params.CodeChallengeMethod != server.CodeChallengeMethodS256:
		return &redirectProblem{"invalid_request", "code_challenge_method must be S256"}
	case !challengePattern().MatchString(params.CodeChallenge):
		return &redirectProblem{"invalid_request", "code_challenge is not the base64url form of a SHA-256 hash"}
	}
	return nil
}

// back returns the URL of the response to the client.
func (a *authorization) back(response url.Values) string {
	if a.params.State != "" {
		response.Set("state", a.params.State)
	}
	return withQuery(a.params.RedirectURI, response)
}

// Authorize signs a person in. A browser gets pages; every other client gets a code
// at once.
func (a api) Authorize(ctx context.Context, request server.AuthorizeRequestObject) (server.AuthorizeResponseObject, error) {
	c := callFrom(ctx)
	checked, err := a.check(request.Params, a.base(c.request))
	if err != nil {
		return a.refuse(checked, err), nil
	}
	if c.wantsPage(a.config.Login) || c.request.Method == http.MethodPost || a.unknownHint(checked) {
		return a.signInPage(c, checked), nil
	}
	response, err := a.authorizeAtOnce(c, checked)
	if err != nil {
		return a.refuse(checked, err), nil
	}
	return response, nil
}

// refuse responds to an authorization request that cannot be granted.
func (e *engine) refuse(a *authorization, err error) server.Response {
	switch p := err.(type) { //nolint:errorlint // Made above, never wrapped.
	case *redirectProblem:
		return redirect(a.back(url.Values{"error": {p.code}, "error_description": {p.description}}))
	case *pageProblem:
		return errorPage(http.StatusBadRequest, p.code, p.detail)
	default:
		return errorPage(http.StatusInternalServerError, "INTERNAL_ERROR", err.Error())
	}
}

// authorizeAtOnce signs in the user of login_hint, or else of the session, or else
// the first user, and consents to everything.
func (e *engine) authorizeAtOnce(c *call, a *authorization) (server.Response, error) {
	current := e.sessionOf(c)
	person, err := e.whoSignsIn(a, current)
	if err != nil {
		return nil, err
	}
	if current == nil || current.account != person.account || a.required.excluded(current) != nil {
		current = e.newSession()
	}
	if _, signedIn := current.authentications[person]; !signedIn {
		e.authenticate(current, person, false)
	}
	steps, err := e.missing(a.required, current, person)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		e.authenticate(current, s.identity, s.mfa || current.authentications[s.identity].mfa)
	}
	if i := a.required.excluded(current); i != nil {
		return nil, missingIdentity("A policy forbids the identity " + i.Username + ".")
	}
	current.primary = person
	e.keepSession(current)
	return e.grantCode(c, a, current, person), nil
}

// unknownHint reports whether login_hint names no user: then the login page is shown.
func (e *engine) unknownHint(a *authorization) bool {
	if a.params.LoginHint == "" {
		return false
	}
	person := e.findIdentity(a.params.LoginHint)
	return person == nil || person.client != nil
}

// whoSignsIn picks the identity that the client needs. An identity that only the
// session needs does not change the subject of the tokens.
func (e *engine) whoSignsIn(a *authorization, current *session) (*identity, error) {
	var person *identity
	switch {
	case a.params.LoginHint != "":
		person = e.findIdentity(a.params.LoginHint)
	case current != nil && current.primary != nil && (len(a.required.identities) == 0 || current.primary.linkedWith(a.required.identities[0])):
		person = current.primary
	case len(a.required.identities) > 0:
		if person = a.required.identities[0]; person.account != nil {
			person = person.account.identities[0]
		}
	default:
		if person = e.firstPerson(); person == nil {
			return nil, missingIdentity("There are no users.")
		}
	}
	if a.params.LoginHint == "" {
		person = a.required.prefer(person)
	}
	return e.effectiveIdentity(a, person)
}

// effectiveIdentity returns the identity of a person that the client and the
// scopes admit; the one given, if they do not care.
func (e *engine) effectiveIdentity(a *authorization, person *identity) (*identity, error) {
	if person.closed() {
		return nil, missingIdentity("The identity " + person.Username + " is closed.")
	}
	if want := a.client.RequiredIDP; want != "" && person.provider.ID != want {
		at := slices.IndexFunc(person.identitySet(), func(i *identity) bool { return i.provider.ID == want })
		if at < 0 {
			return nil, missingIdentity("The client needs an identity of another provider, and " + person.Username + " has none.")
		}
		person = person.identitySet()[at]
	}
	for _, r := range a.scopes {
		domains := r.scope.requiredDomains
		if len(domains) > 0 && !slices.ContainsFunc(person.identitySet(), func(i *identity) bool { return matchesAny(domains, i.domain()) }) {
			return nil, missingIdentity("The scope " + r.scope.text + " needs an identity of " + strings.Join(domains, " or ") + ", and " + person.Username + " has none.")
		}
	}
	return person, nil
}

// grantCode records the consent and sends the browser back with a code.
func (e *engine) grantCode(c *call, a *authorization, s *session, person *identity) server.Response {
	issued := &code{authorization: a, token: token{
		value: e.random.secret("fake-code-"), client: a.client, session: s, identity: person, issued: e.now(),
	}}
	for _, r := range a.scopes {
		issued.consents = append(issued.consents, e.approve(person, a.client, r, a.offline, false, nil))
	}
	e.keepCode(issued)
	return redirect(a.back(url.Values{"code": {issued.value}}), e.cookie(c, s))
}

// keepCode stores a code and forgets the old ones. Used ones stay until then, to
// detect a second use.
func (e *engine) keepCode(added *code) {
	now := e.now()
	for len(e.codeList) > 0 && (now.Sub(e.codeList[0].issued) > 2*codeLifetime || len(e.codeList) >= maxCodes) {
		delete(e.codes, e.codeList[0].value)
		e.codeList[0] = nil
		e.codeList = e.codeList[1:]
	}
	e.codes[added.value] = added
	e.codeList = append(e.codeList, added)
	e.changed()
}

// cookie binds a browser to its session.
func (e *engine) cookie(c *call, s *session) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: s.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(e.base(c.request), "https:"),
	}
}
