package app

import (
	"bytes"
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
	again, ok := replay.Request(req.Context(), req)
	if !ok {
		return nil, refusal
	}
	// What it asks for, the person is shown here, in the log, and by the service on the consent page.
	t.app.config.Client.Logger().WarnContext(req.Context(), "app: a service asks for another login",
		"host", req.URL.Host, "scopes", refusal.Authorization.RequiredScopes)
	if err := t.app.login(req.Context(), LoginOptions{Force: true, Authorization: *refusal.Authorization}, logins); err != nil {
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
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	return nil
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
		merged, err := scopes.Merge(want, scopes.List{scopes.Scope(text)})
		return err == nil && merged.String() == want.String()
	})
}
