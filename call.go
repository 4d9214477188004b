package globusauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"github.com/globusauth/globusauth/internal/timeout"
	"github.com/globusauth/globusauth/tokens"
)

// operation describes an operation of the spec.
type operation struct {
	id      string // "GetIdentities"
	path    string // with its parameters unfilled, for logs
	auth    auth   // what it accepts
	retry   retryClass
	secrets []string // of the form that is sent
	empty   bool     // whether a success may have an empty body
}

// Response is an undecoded response. It prints, logs and encodes only its status and
// size, because headers and bodies can contain secrets.
type Response struct {
	StatusCode int
	Header     http.Header
	// Body is the whole body.
	Body []byte
}

func (r Response) summary() string {
	return fmt.Sprintf("globusauth.Response(status %d, %d bytes)", r.StatusCode, len(r.Body))
}

// Format prints status and size, whatever the verb.
func (r Response) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, r.summary()) }

// LogValue logs status and size.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalText writes status and size, also for encoding/json and the like. It
// cannot be read back.
func (r Response) MarshalText() ([]byte, error) { return []byte(r.summary()), nil }

// MarshalBinary always fails, so that encoding/gob and the like neither write the
// secrets nor drop them silently.
func (r Response) MarshalBinary() ([]byte, error) {
	return nil, errors.New("globusauth: encode: a Response has no binary form; encode its fields")
}

// call sends a request and decodes the response of a success.
func call[T any](c *Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*T, error) {
	x, response, err := c.send(op, req, buildErr, opts)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, x.failed(fmt.Errorf("%w: status %d", ErrMalformedResponse, response.StatusCode))
	}
	out := new(T)
	if op.empty && isEmpty(response.Body) {
		return out, nil
	}
	odd, err := decode(response.Body, out, c.maxBody/4*3)
	if err != nil {
		return nil, x.malformed(response, err)
	}
	if odd != "" {
		c.logger.WarnContext(req.Context(), "globusauth: unexpected parts of a response are ignored", "operation", op.id, "first", odd)
	}
	return out, nil
}

func (c *Client) send(op operation, req *http.Request, buildErr error, opts []CallOption) (*exchange, *Response, error) {
	x := &exchange{client: c, http: *c.http, op: op, req: req, secrets: op.secrets}
	if buildErr != nil {
		return nil, nil, fmt.Errorf("globusauth: %w", buildErr)
	}
	for _, option := range opts {
		if option == nil {
			continue
		}
		if err := option(x); err != nil {
			return nil, nil, x.failed(err)
		}
	}
	if err := x.authenticate(); err != nil {
		return nil, nil, x.failed(err)
	}
	if op.retry != retrySafe {
		x.http.Transport = c.fresh
	}
	for name, value := range map[string]string{"User-Agent": c.userAgent, "X-Globus-Client-Info": c.clientInfo} {
		if req.Header.Get(name) == "" {
			req.Header.Set(name, value)
		}
	}
	response, err := x.run(req.Context())
	if err != nil {
		return nil, nil, err
	}
	if x.copyTo != nil {
		*x.copyTo = *response
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, nil, x.reported(response)
	}
	return x, response, nil
}

// authenticate chooses the client's credentials if the operation accepts them.
func (x *exchange) authenticate() error {
	c, accepted := x.client.credentials, x.op.auth
	switch {
	case c != nil && accepted&c.kind != 0:
		x.credentials = c
		return c.err
	case accepted&authNone != 0 || accepted == 0:
		return nil
	case c != nil:
		return fmt.Errorf("%w: it takes %s, the client has %s", ErrNoCredentials, accepted, c)
	}
	return fmt.Errorf("%w: it takes %s; set Config.Credentials", ErrNoCredentials, accepted)
}

// exchange is one call with all its attempts.
type exchange struct {
	client      *Client
	http        http.Client
	op          operation
	req         *http.Request
	credentials *Credentials
	copyTo      *Response // from WithResponse
	noRetry     []int     // from WithoutRetryOn
	renewed     bool
	secrets     []string // that a server can echo and an error must not show
}

// attempt sends the request once, or twice if the token was refused and can be
// renewed.
func (x *exchange) attempt(ctx context.Context) (*Response, error) {
	response, token, err := x.once(ctx)
	if err != nil || response.StatusCode != http.StatusUnauthorized || x.renewed || x.credentials == nil || x.credentials.renew == nil {
		return response, err
	}
	x.renewed = true
	if _, err := x.credentials.renew(ctx, token); err != nil {
		return nil, x.failed(fmt.Errorf("the token was refused (status 401) and could not be renewed: %w", err))
	}
	response, _, err = x.once(ctx)
	return response, err
}

func (x *exchange) once(ctx context.Context) (*Response, tokens.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, tokens.Token{}, x.failed(err)
	}
	var asked, connected atomic.Bool
	req := x.req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	if x.req.GetBody != nil {
		body, err := x.req.GetBody()
		if err != nil {
			return nil, tokens.Token{}, x.failed(err)
		}
		req.Body = body
	}
	var token tokens.Token
	if x.credentials != nil {
		header, used, err := x.credentials.authorization(ctx)
		if err != nil {
			return nil, tokens.Token{}, x.failed(err)
		}
		token = used
		req.Header.Set("Authorization", header)
		_, secret, _ := strings.Cut(header, " ")
		_, password, _ := req.BasicAuth()
		x.secrets = append(x.secrets, secret, password)
	}
	start := x.client.now()
	response, err := x.roundTrip(req)
	if err != nil {
		err = x.lost(ctx, err, asked.Load() && !connected.Load())
	}
	if x.client.logger.Enabled(ctx, slog.LevelDebug) {
		x.client.logger.DebugContext(ctx, "globusauth: request", "operation", x.op.id, "method", req.Method, "path", x.op.path,
			"status", statusOf(response), "duration", x.client.now().Sub(start), "error", err)
	}
	return response, token, err
}

// roundTrip sends the request. If it must not be sent twice, its time limit lets a
// process that was suspended read a response that has arrived.
func (x *exchange) roundTrip(req *http.Request) (response *Response, err error) {
	client := x.http
	if x.op.retry != retrySafe && client.Timeout > 0 {
		ctx, cancel := timeout.With(req.Context(), client.Timeout, x.client.now)
		defer cancel()
		defer func() {
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}()
		req, client.Timeout = req.WithContext(ctx), 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := x.client.read(resp)
	if err != nil && x.op.retry != retrySafe {
		if _, _, whole := firstDocument(body); whole { // no later response has the issued tokens
			x.client.logger.WarnContext(req.Context(), "globusauth: connection broke off after the whole response", "operation", x.op.id, "error", err)
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read response (status %d): %w", resp.StatusCode, err)
	}
	return &Response{StatusCode: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// read reads one byte more than allowed, so that a longer body is an error and not
// truncated. If the connection breaks off, it returns what it read beside the error.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	var err error
	if resp.ContentLength <= c.maxBody {
		body.Grow(int(max(resp.ContentLength, 0)) + bytes.MinRead)
		_, err = body.ReadFrom(io.LimitReader(resp.Body, c.maxBody+1))
	}
	if max(resp.ContentLength, int64(body.Len())) > c.maxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, c.maxBody)
	}
	return body.Bytes(), err
}
