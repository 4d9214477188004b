package globusauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
)

// operation is what the generated methods say of themselves.
type operation struct {
	id    string // "GetIdentities"
	path  string // with its parameters unfilled, for logs
	auth  auth   // what it accepts
	retry retryClass
}

// Response is an answer as it came. The header of a login's redirect and the body
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

// call sends a request and decodes the answer of a success.
func call[T any](c *Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*T, error) {
	answer, err := c.send(c.follow, op, req, buildErr, opts)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("globusauth: %s: %w: status %d", op.id, ErrMalformedResponse, answer.StatusCode)
	}
	out := new(T)
	if err := decode(answer.Body, out); err != nil {
		return nil, fmt.Errorf("globusauth: %s: %w (status %d, %d bytes): %w", op.id, ErrMalformedResponse, answer.StatusCode, len(answer.Body), err)
	}
	return out, nil
}

// raw sends a request whose answer is a page or a redirect, and hands it back.
func (c *Client) raw(op operation, req *http.Request, buildErr error, opts []CallOption) (*Response, error) {
	return c.send(c.stay, op, req, buildErr, opts)
}

func (c *Client) send(client *http.Client, op operation, req *http.Request, buildErr error, opts []CallOption) (*Response, error) {
	if buildErr != nil {
		return nil, fmt.Errorf("globusauth: %w", buildErr)
	}
	extras, err := collect(opts)
	if err == nil {
		err = extras.applyTo(req)
	}
	if err != nil {
		return nil, fmt.Errorf("globusauth: %s: %w", op.id, err)
	}
	credentials, err := c.credentialsFor(op)
	if err != nil {
		return nil, fmt.Errorf("globusauth: %s: %w", op.id, err)
	}
	if op.retry == retryGrant {
		op.retry = retryOfGrant(req)
	}
	for name, value := range map[string]string{"User-Agent": c.headers.userAgent, "X-Globus-Client-Info": c.headers.clientInfo} {
		if req.Header.Get(name) == "" {
			req.Header.Set(name, value)
		}
	}

	exchange := exchange{client: c, http: client, op: op, req: req, credentials: credentials}
	answer, err := c.retry.do(req.Context(), op, extras.notice, exchange.attempt)
	if err != nil {
		if failed, ok := errors.AsType[*transportError](err); ok {
			err = failed.err
		}
		return nil, fmt.Errorf("globusauth: %s: %w", op.id, err)
	}
	if extras.response != nil {
		*extras.response = *answer
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return nil, apierror.FromResponse(op.id, answer.StatusCode, answer.Header, answer.Body).Redact(exchange.secrets()...)
	}
	return answer, nil
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
	http        *http.Client
	op          operation
	req         *http.Request
	credentials Credentials
	renewed     bool
	sent        []string // secrets of Authorization headers
}

// attempt sends the request once, or twice when the first token was refused
// and could be renewed.
func (x *exchange) attempt() (*Response, time.Duration, error) {
	answer, token, err := x.once()
	if err == nil && answer.StatusCode == http.StatusUnauthorized && !x.renewed {
		renewed, renewErr := x.renew(token)
		if renewErr != nil {
			return nil, 0, fmt.Errorf("the token was refused (status 401) and could not be renewed: %w", renewErr)
		}
		if renewed {
			answer, _, err = x.once()
		}
	}
	if err != nil {
		return nil, 0, err
	}
	var wait time.Duration
	if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable {
		wait = apierror.FromResponse(x.op.id, answer.StatusCode, answer.Header, nil).RetryAfter
	}
	return answer, wait, nil
}

// renew replaces a token that was answered with 401, once per call, where the
// source can.
func (x *exchange) renew(rejected tokens.Token) (bool, error) {
	source, ok := x.credentials.(sourceCredentials)
	if !ok {
		return false, nil
	}
	renewer, ok := source.source().(tokens.Renewer)
	if !ok {
		return false, nil
	}
	x.renewed = true
	_, err := renewer.Renew(x.req.Context(), rejected)
	return err == nil, err
}

func (x *exchange) once() (*Response, tokens.Token, error) {
	ctx := x.req.Context()
	if err := ctx.Err(); err != nil {
		return nil, tokens.Token{}, err
	}
	req := x.req.Clone(ctx)
	if x.req.GetBody != nil {
		body, err := x.req.GetBody()
		if err != nil {
			return nil, tokens.Token{}, err
		}
		req.Body = body
	}
	var token tokens.Token
	if x.credentials != nil {
		header, used, err := x.credentials.authorization(ctx)
		if err != nil {
			return nil, tokens.Token{}, err
		}
		req.Header.Set("Authorization", header)
		_, secret, _ := strings.Cut(header, " ")
		x.sent = append(x.sent, secret)
		token = used
	}
	start := x.client.now()
	answer, err := x.client.roundTrip(x.http, req)
	x.client.logger.DebugContext(ctx, "globusauth: request", "operation", x.op.id, "method", req.Method, "path", x.op.path,
		"status", statusOf(answer), "duration", x.client.now().Sub(start), "error", err)
	return answer, token, err
}

// secrets are the values that an error must not repeat although the service
// might.
func (x *exchange) secrets() []string {
	secrets := x.sent
	if form := formOf(x.req); form != nil {
		for _, name := range []string{"token", "code", "code_verifier", "refresh_token", "client_secret", "password"} {
			secrets = append(secrets, form[name]...)
		}
	}
	return secrets
}

func (c *Client) roundTrip(client *http.Client, req *http.Request) (*Response, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, classify(req.Context(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := c.read(resp)
	if err != nil {
		return nil, classify(req.Context(), fmt.Errorf("read answer (status %d): %w", resp.StatusCode, err))
	}
	return &Response{StatusCode: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// read reads one byte more than allowed, so that too much is an error and not
// a cut.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > c.maxBody {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrResponseTooLarge, resp.ContentLength, c.maxBody)
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, c.maxBody+1))
	if err != nil {
		return nil, err
	}
	if n > c.maxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, c.maxBody)
	}
	return buf.Bytes(), nil
}

// retryOfGrant says what may be done with a failed token request. A code and a
// rotating refresh token are spent by being sent.
func retryOfGrant(req *http.Request) retryClass {
	switch formOf(req).Get("grant_type") {
	case "refresh_token":
		return retryUnsent
	case "client_credentials", "urn:globus:auth:grant_type:dependent_token":
		return retrySafe
	}
	return retryNever
}

// formOf returns the form in a request's body, nil when it holds none.
func formOf(req *http.Request) url.Values {
	if req.GetBody == nil || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(body) //nolint:forbidigo // our own request, in memory
	if err != nil {
		return nil
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil
	}
	return form
}
