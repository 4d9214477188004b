package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/replay"
)

// maxRefusal is how much of a response with status 403 is read to see what it asks for.
const maxRefusal = 1 << 20

// redrive looks for responses that ask for more authorization (GARE).
type redrive struct {
	*http.Client // its transport sends the requests

	app  *App
	last bool // no login any more
}

// RoundTrip sends the request, and once more after a login, if the response asks
// for one and it may take place.
func (t *redrive) RoundTrip(req *http.Request) (*http.Response, error) {
	logins := t.app.logins.Load()
	resp, err := t.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	refusal := refusalOf(req, resp)
	if refusal == nil {
		return resp, nil
	}
	// A service account has no session to improve.
	config, hopeless := t.app.config, t.app.service && len(refusal.Authorization.RequiredScopes) == 0
	if t.last || hopeless || !config.RedriveGAREs || config.NoLogin {
		return nil, refusal
	}
	again, ok := replay.Request(req.Context(), req)
	if !ok {
		return nil, refusal
	}
	// What it asks for, the person is shown here, in the log, and by the service on the consent page.
	config.Client.Logger().WarnContext(req.Context(), "app: a service asks for another login",
		"host", req.URL.Host, "scopes", refusal.Authorization.RequiredScopes)
	if err := t.app.login(req.Context(), LoginOptions{Force: true, Authorization: *refusal.Authorization}, logins); err != nil {
		replay.Drop(again)
		return nil, fmt.Errorf("app: log in as a service asks: %w: %w", refusal, err)
	}
	return (&redrive{t.Client, t.app, true}).RoundTrip(again)
}

// refusalOf returns what a response asks for, nil if it asks for nothing. Then the
// response is as it was.
func refusalOf(req *http.Request, resp *http.Response) *apierror.Error {
	if resp.StatusCode != http.StatusForbidden {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) //nolint:forbidigo // limited
	refusal := apierror.FromResponse(req.Method+" "+req.URL.Host, resp.StatusCode, resp.Header, start)
	if err == nil && refusal.Authorization != nil {
		_ = resp.Body.Close()
		return refusal
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	return nil
}
