package globusauth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/globusauth/globusauth/internal/replay"
	"github.com/globusauth/globusauth/internal/timeout"
)

// operation describes an operation of the spec.
type operation struct {
	id      string // "GetIdentities"
	path    string // with its parameters unfilled, for logs
	auth    auth   // what it accepts
	takes   string // the same in words
	retry   retryClass
	secrets []string // of the form that is sent
	empty   bool     // whether a success may have an empty body
}

// exchange is one call with all its attempts.
type exchange struct {
	client      *Client
	op          operation
	req         *http.Request
	credentials Credentials                                       // the zero value if none are sent
	received    func(status int, header http.Header, body []byte) // from WithResponse
	noRetry     []int                                             // from WithoutRetryOn
	fresh       bool                                              // every attempt uses a new connection
	renewed     bool
	secrets     []string // that a server can echo and an error must not show
}

// response is an undecoded response; its status is 0 if there was none.
type response struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request and decodes the response of a success.
func call[T any](c *Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*T, error) {
	if buildErr != nil {
		return nil, fmt.Errorf("globusauth: %w", buildErr)
	}
	x := &exchange{client: c, op: op, req: req, fresh: op.retry != retrySafe, secrets: op.secrets}
	for _, option := range opts {
		if err := option(x); err != nil {
			return nil, x.failed(err)
		}
	}
	if err := x.authenticate(); err != nil {
		return nil, x.failed(err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("X-Globus-Client-Info", c.clientInfo)
	got, err := x.run(req.Context())
	if err != nil {
		return nil, err
	}
	if x.received != nil {
		x.received(got.status, got.header, got.body)
	}
	if got.status >= http.StatusMultipleChoices {
		return nil, x.reported(got)
	}
	out := new(T)
	if op.empty && isEmpty(got.body) {
		return out, nil
	}
	odd, err := decode(got.body, out)
	if err != nil {
		return nil, x.malformed(got, err)
	}
	if odd != "" {
		c.logger.WarnContext(req.Context(), "globusauth: unexpected parts of a response are ignored", "operation", op.id, "first", odd)
	}
	return out, nil
}

// authenticate chooses the client's credentials if the operation accepts them.
func (x *exchange) authenticate() error {
	c, accepted := x.client.credentials, x.op.auth
	switch {
	case c != nil && accepted&c.kind != 0:
		x.credentials = *c
		return c.err
	case accepted&authNone != 0 || accepted == 0:
		return nil
	case c != nil:
		return fmt.Errorf("%w: it takes %s, the client has %s", ErrNoCredentials, x.op.takes, c)
	}
	return fmt.Errorf("%w: it takes %s; set Config.Credentials", ErrNoCredentials, x.op.takes)
}

// attempt sends the request once, or twice if the token was refused and can be
// renewed.
func (x *exchange) attempt(ctx context.Context) (response, error) {
	if err := ctx.Err(); err != nil {
		return response{}, x.failed(err)
	}
	var asked, connected atomic.Bool // also before a redirect
	req, _ := replay.Request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), x.req) // its body is in memory
	token, err := x.authorize(req)
	if err != nil {
		return response{}, x.failed(err)
	}
	start := x.client.now()
	got, err := x.roundTrip(req)
	if err != nil {
		err = x.lost(ctx, err, asked.Load() && !connected.Load())
	}
	if x.client.logger.Enabled(ctx, slog.LevelDebug) {
		x.client.logger.DebugContext(ctx, "globusauth: request", "operation", x.op.id, "method", req.Method, "path", x.op.path,
			"status", got.status, "duration", x.client.now().Sub(start), "error", err)
	}
	if err != nil || got.status != http.StatusUnauthorized || x.renewed || x.credentials.renew == nil {
		return got, err
	}
	x.renewed = true
	if _, err := x.credentials.renew(ctx, token); err != nil {
		return response{}, x.failed(fmt.Errorf("the token was refused (status 401) and could not be renewed: %w", err))
	}
	return x.attempt(ctx)
}

// roundTrip sends the request. The time limit lets a process that was suspended read a response that
// has arrived.
func (x *exchange) roundTrip(req *http.Request) (response, error) {
	ctx, cancel := timeout.With(req.Context(), x.client.http.Timeout, x.client.now)
	defer cancel()
	client := http.Client{Transport: x.client.http.Transport, CheckRedirect: x.client.http.CheckRedirect}
	if x.fresh {
		client.Transport = x.client.fresh
	}
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return response{}, ended(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := read(resp)
	if err != nil && x.op.retry != retrySafe {
		if _, _, whole := firstDocument(body); whole { // no later response has the issued tokens
			x.client.logger.WarnContext(ctx, "globusauth: connection broke off after the whole response", "operation", x.op.id, "error", err)
			err = nil
		}
	}
	if err != nil {
		return response{}, fmt.Errorf("read response (status %d): %w", resp.StatusCode, ended(ctx, err))
	}
	return response{resp.StatusCode, resp.Header, body}, nil
}

// ended returns why the context has ended, or else err.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// read reads one byte more than allowed, so that a longer body is an error and not
// truncated. If the connection breaks off, it returns what it read beside the error.
func read(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	body.Grow(int(min(max(resp.ContentLength, 0), maxBody)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if body.Len() > maxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, maxBody)
	}
	return body.Bytes(), err
}
