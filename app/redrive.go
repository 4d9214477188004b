package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/replay"
	"github.com/globusauth/globusauth/scopes"
)

// maxRefusal is how much of a response with status 403 is read to see what it asks for.
const maxRefusal = 1 << 20

// redrive looks for responses that ask for more authorization (GARE).
type redrive struct {
	app  *App
	base http.RoundTripper
}

// RoundTrip sends the request, and once more after a login, if the response asks
// for one and it may take place.
func (t *redrive) RoundTrip(req *http.Request) (*http.Response, error) {
	logins := t.app.logins.Load()
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	refusal := refusalOf(req, resp)
	if refusal == nil {
		return resp, nil
	}
	if !t.app.mayRedrive(*refusal.Authorization) {
		return nil, refusal
	}
	again, ok := replay.Request(req)
	if !ok {
		return nil, refusal
	}
	if err := t.app.satisfy(req.Context(), req.URL.Host, *refusal.Authorization, logins); err != nil {
		replay.Drop(again)
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

// refusalOf returns what a response asks for, nil if it asks for nothing. Then the
// response is as it was.
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

// mayRedrive reports whether a login could and may satisfy the service. What a
// resource server asks for decides nothing: a service account, whose grants no person
// sees, takes of it only scopes that the program has named.
func (a *App) mayRedrive(asked apierror.AuthorizationParameters) bool {
	if !a.config.RedriveGAREs || a.config.NoLogin {
		return false
	}
	return !a.service || (len(asked.RequiredScopes) > 0 && len(a.foreign(asked.RequiredScopes)) == 0)
}

// foreign returns those of the required scopes that a service account must not ask for:
// that neither Config nor AddScopes named.
func (a *App) foreign(required []string) []string {
	if !a.service {
		return nil
	}
	want := a.wanted()
	return slices.DeleteFunc(slices.Clone(required), func(text string) bool {
		known, err := scopes.Merge(want, want)
		if err != nil {
			return false
		}
		merged, err := scopes.Merge(known, scopes.List{scopes.Scope(text)})
		return err == nil && merged.String() == known.String()
	})
}

// satisfy runs the login that a service asks for, unless one was run since the
// request was sent. What it asks for beyond the app's scopes, the person is shown here, in the
// log, and by the service on the consent page; it is not a need of the app afterwards.
func (a *App) satisfy(ctx context.Context, host string, asked apierror.AuthorizationParameters, logins int64) error {
	a.config.Client.Logger().WarnContext(ctx, "app: a service asks for another login",
		"host", host, "scopes", asked.RequiredScopes)
	return a.login(ctx, LoginOptions{Force: true, Authorization: asked}, logins)
}
