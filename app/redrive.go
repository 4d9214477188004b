package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/scopes"
)

// maxRefusal is how much of an answer with status 403 is read to see what it asks for.
const maxRefusal = 1 << 20

// redrive looks for answers that ask for more authorization (GARE).
type redrive struct {
	core *core
	base http.RoundTripper
}

// RoundTrip sends the request, and once more after a login, if the answer asks
// for one and it may take place.
func (t *redrive) RoundTrip(req *http.Request) (*http.Response, error) {
	logins := t.core.logins.Load()
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	refusal := refusalOf(req, resp)
	if refusal == nil {
		return resp, nil
	}
	if !t.core.mayRedrive(refusal.Authorization) {
		return nil, refusal
	}
	again, ok := replay(req)
	if !ok {
		return nil, refusal
	}
	if err := t.core.satisfy(req.Context(), refusal.Authorization, logins); err != nil {
		closeBody(again)
		return nil, fmt.Errorf("app: log in as a service asks: %w: %w", refusal, err)
	}
	if resp, err = t.base.RoundTrip(again); err != nil {
		return nil, err
	}
	if refusal = refusalOf(again, resp); refusal != nil {
		return nil, refusal
	}
	return resp, nil
}

// CloseIdleConnections closes those of the transport below.
func (t *redrive) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// refusalOf returns what an answer asks for, nil if it asks for nothing. Then the
// answer is as it was.
func refusalOf(req *http.Request, resp *http.Response) *apierror.Error {
	if resp.StatusCode != http.StatusForbidden {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) //nolint:forbidigo // limited
	if err == nil {
		refusal := apierror.FromResponse(req.Method+" "+req.URL.Host, resp.StatusCode, resp.Header, start)
		if refusal.Authorization != nil {
			_ = resp.Body.Close()
			return refusal
		}
	}
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = brokenOff{err}
	}
	resp.Body = &rejoined{io.MultiReader(bytes.NewReader(start), rest), resp.Body}
	return nil
}

// brokenOff is the end of a body that could not be read whole.
type brokenOff struct{ err error }

func (b brokenOff) Read([]byte) (int, error) { return 0, b.err }

// rejoined is a body of which the start has been read.
type rejoined struct {
	io.Reader
	io.Closer
}

// mayRedrive reports whether a login could and may satisfy the service.
func (c *core) mayRedrive(asked *apierror.AuthorizationParameters) bool {
	if !c.config.RedriveGAREs || c.config.NoLogin {
		return false
	}
	return !c.alone || len(asked.RequiredScopes) > 0
}

// satisfy runs the login that a service asks for, unless one was run since the
// request was sent.
func (c *core) satisfy(ctx context.Context, asked *apierror.AuthorizationParameters, logins int64) error {
	if c.alone {
		if err := c.addRequired(*asked); err != nil {
			return err
		}
	}
	return c.login(ctx, LoginOptions{Force: true, Authorization: *asked}, logins)
}

// addRequired makes scopes that a service asks for needs of the app, for whom
// every token is a new grant.
func (c *core) addRequired(asked apierror.AuthorizationParameters) error {
	if len(asked.RequiredScopes) == 0 {
		return nil
	}
	more := make(scopes.List, len(asked.RequiredScopes))
	for i, text := range asked.RequiredScopes {
		more[i] = scopes.Scope(text)
	}
	return c.addScopes(more)
}

// replay returns the request with its body from the start, if it can be had.
func replay(req *http.Request) (*http.Request, bool) {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = body
	return again, true
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
