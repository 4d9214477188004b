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
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/timeout"
	"github.com/globusauth/globusauth/tokens"
)

// operation is what the generated methods say of themselves.
type operation struct {
	id    string // "GetIdentities"
	path  string // with its parameters unfilled, for logs
	auth  auth   // what it accepts
	retry retryClass
	// grants are the retry classes of a token request by its grant, secrets the
	// parameters of the form that are secret.
	grants  map[string]retryClass
	secrets []string
	empty   bool // its status says everything, so that it may have no document
}

// Response is a response as it came. The header of a login's redirect and the body
// of a token request hold secrets, so that it prints, logs and encodes as its
// status and size alone.
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

// MarshalBinary always fails, so that encoding/gob and the like neither show the
// secrets nor lose them unnoticed.
func (r Response) MarshalBinary() ([]byte, error) {
	return nil, errors.New("globusauth: encode: a Response has no binary form; encode its fields")
}

// call sends a request and decodes the response of a success.
func call[T any](c *Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*T, error) {
	x, response, err := c.send(c.follow, op, req, buildErr, opts)
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
	x.warn(odd)
	return out, nil
}

// warn logs which fields of a response read as absent.
func (x *exchange) warn(odd []string) {
	if len(odd) > 0 {
		x.client.logger.WarnContext(x.req.Context(), "globusauth: fields of an unexpected type in a response are ignored", "operation", x.op.id, "fields", odd)
	}
}

// raw sends a request whose response is a page or a redirect, and hands it back.
func (c *Client) raw(op operation, req *http.Request, buildErr error, opts []CallOption) (*Response, error) {
	_, response, err := c.send(c.stay, op, req, buildErr, opts)
	return response, err
}

func (c *Client) send(client *http.Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*exchange, *Response, error) {
	x := &exchange{client: c, http: *client, op: op, req: req}
	extras, err := collect(opts)
	switch {
	case buildErr != nil:
		return nil, nil, fmt.Errorf("globusauth: %w", buildErr)
	case err == nil:
		err = extras.applyTo(req)
	}
	if err == nil {
		x.credentials, err = c.credentialsFor(op)
	}
	if err != nil {
		return nil, nil, x.failed(err)
	}
	x.noRetry = extras.noRetry
	x.readForm(extras.body)
	if x.op.retry != retrySafe {
		x.http.Transport = c.fresh
	}
	for name, value := range map[string]string{"User-Agent": c.headers.userAgent, "X-Globus-Client-Info": c.headers.clientInfo} {
		if req.Header.Get(name) == "" {
			req.Header.Set(name, value)
		}
	}
	response, err := x.run(req.Context())
	if err != nil {
		return nil, nil, err
	}
	if extras.response != nil {
		*extras.response = *response
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, nil, apierror.FromResponse(op.id, response.StatusCode, response.Header, response.Body).Redact(x.secrets...)
	}
	return x, response, nil
}

// credentialsFor returns the client's credentials where the operation takes
// them, nil where it does without.
func (c *Client) credentialsFor(op operation) (Credentials, error) {
	switch {
	case c.credentials != nil && op.auth&c.credentials.kind() != 0:
		return c.credentials, nil
	case op.auth&authNone != 0 || op.auth == 0:
		return nil, nil //nolint:nilnil // no credentials and no error is the meaning
	case c.credentials != nil:
		return nil, fmt.Errorf("%w: it takes %s, the client has %s", ErrNoCredentials, op.auth, c.credentials)
	}
	return nil, fmt.Errorf("%w: it takes %s; set Config.Credentials", ErrNoCredentials, op.auth)
}

func (a auth) String() string {
	var words []string
	if a&authBearer != 0 {
		words = append(words, "a Bearer token")
	}
	if a&authBasic != 0 {
		words = append(words, "a client's Basic credentials")
	}
	return strings.Join(words, " or ")
}

// exchange is one call with all its attempts.
type exchange struct {
	client      *Client
	http        http.Client
	op          operation
	req         *http.Request
	credentials Credentials
	noRetry     []int // statuses
	renewed     bool
	secrets     []string // what an error must not repeat although the service might
}

// readForm takes secrets and grant from a form in the request's body. What a
// caller added to it counts as secret.
func (x *exchange) readForm(added []member) {
	if x.op.secrets == nil || x.req.GetBody == nil {
		return
	}
	body, err := x.req.GetBody()
	if err != nil {
		return
	}
	text, err := io.ReadAll(body) //nolint:forbidigo // our own request, in memory
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return
	}
	for _, name := range x.op.secrets {
		x.secrets = append(x.secrets, form[name]...)
	}
	for _, parameter := range added {
		x.secrets = append(x.secrets, form[parameter.name]...)
	}
	if class, ok := x.op.grants[form.Get("grant_type")]; ok {
		x.op.retry = class
	}
}

// attempt sends the request once, or twice when the first token was refused
// and could be renewed.
func (x *exchange) attempt(ctx context.Context) (*Response, error) {
	response, token, err := x.once(ctx)
	if err != nil || response.StatusCode != http.StatusUnauthorized || x.renewed {
		return response, err
	}
	renewed, err := x.renew(ctx, token)
	if err != nil {
		return nil, x.failed(fmt.Errorf("the token was refused (status 401) and could not be renewed: %w", err))
	}
	if renewed {
		response, _, err = x.once(ctx)
	}
	return response, err
}

// renew replaces a token that was refused with 401, once per call, where the
// source can.
func (x *exchange) renew(ctx context.Context, rejected tokens.Token) (bool, error) {
	source, ok := x.credentials.(sourceCredentials)
	if !ok {
		return false, nil
	}
	renewer, ok := source.source().(tokens.Renewer)
	if !ok {
		return false, nil
	}
	x.renewed = true
	_, err := renewer.Renew(ctx, rejected)
	return err == nil, err
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
		req.Header.Set("Authorization", header)
		_, secret, _ := strings.Cut(header, " ")
		_, password, _ := req.BasicAuth()
		x.secrets = append(x.secrets, secret, password)
		token = used
	}
	start := x.client.now()
	response, err := x.roundTrip(req)
	if err != nil {
		err = x.lost(ctx, err, asked.Load() && !connected.Load())
	}
	x.client.logger.DebugContext(ctx, "globusauth: request", "operation", x.op.id, "method", req.Method, "path", x.op.path,
		"status", statusOf(response), "duration", x.client.now().Sub(start), "error", err)
	return response, token, err
}

// roundTrip gives a request that must not be sent twice a time limit that lets a
// suspended process read the response that has arrived meanwhile.
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
		if _, _, whole := firstDocument(body); whole { // what was issued exists nowhere else
			x.client.logger.WarnContext(req.Context(), "globusauth: connection broke off after the whole response", "operation", x.op.id, "error", err)
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read response (status %d): %w", resp.StatusCode, err)
	}
	return &Response{StatusCode: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// read reads one byte more than allowed, so that too much is an error and not
// a cut. What was read before a connection broke off is returned beside the error.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > c.maxBody {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrResponseTooLarge, resp.ContentLength, c.maxBody)
	}
	limited := io.LimitReader(resp.Body, c.maxBody+1)
	var body []byte
	var err error
	if resp.ContentLength > 0 {
		var buf bytes.Buffer
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
		_, err = buf.ReadFrom(limited)
		body = buf.Bytes()
	} else {
		body, err = io.ReadAll(limited) //nolint:forbidigo // limited
	}
	switch {
	case err != nil:
		return body, err
	case int64(len(body)) > c.maxBody:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, c.maxBody)
	}
	return body, nil
}
