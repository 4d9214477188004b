package globusauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

// RetryPolicy configures retries. The zero value is what the official SDKs do:
// five retries, at most 10 s apart.
//
// A GET, PUT or DELETE is retried after a transport error and after the statuses
// 408, 421, 425, 429, 500, 502, 503 and 504; so are introspection, revocation, and
// the client credentials and dependent token grants, which can be done twice
// without harm. Any other POST, and a refresh, is retried only when the service
// cannot have acted on it: after 421, 425 and 429, and when no connection could be
// made. The exchange of an authorization code is never retried.
//
// A request that must not be sent twice goes over a new connection, so that it
// cannot be lost on one that the service has just closed; where Config.HTTPClient
// has a Transport other than an [http.Transport], that decides.
//
// Before retry n (from 0) a request waits (0.25 + 0.5·random)·2ⁿ seconds, or
// what Retry-After says. When that is more than MaxDelay, or more than the
// context has left, the response is returned as an error instead. Every retry is
// logged at level Warn before its pause, see [Config.Logger].
type RetryPolicy struct {
	// MaxRetries is the number of retries; zero means 5, negative none.
	MaxRetries int
	// MaxDelay is the longest pause; zero means 10 s.
	MaxDelay time.Duration
	// Random returns a number in [0, 1); nil means a random one. Tests set it.
	Random func() float64
}

// retryClass is what may be done with an operation that failed.
type retryClass uint8

const (
	retryNever  retryClass = iota
	retryUnsent            // only when the service cannot have acted on it
	retrySafe              // can be done twice
)

// normal returns the policy with its defaults filled in.
func (p RetryPolicy) normal() (RetryPolicy, error) {
	switch {
	case p.MaxRetries == 0:
		p.MaxRetries = defaultRetries
	case p.MaxRetries < 0:
		p.MaxRetries = 0
	}
	switch {
	case p.MaxDelay < 0:
		return p, errors.New("globusauth: Config.Retry.MaxDelay is negative")
	case p.MaxDelay == 0:
		p.MaxDelay = defaultMaxDelay
	}
	if p.Random == nil {
		p.Random = jitter
	}
	return p, nil
}

// delay returns how long to wait before retry n.
func (p RetryPolicy) delay(n int, response *Response) time.Duration {
	switch statusOf(response) {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if wait := apierror.FromResponse("", response.StatusCode, response.Header, nil).RetryAfter; wait > 0 {
			return wait
		}
	}
	return min(p.MaxDelay, time.Duration((0.25+0.5*p.Random())*float64(time.Second)*float64(uint64(1)<<min(n, 30))))
}

// run sends the request until it succeeds, fails for good, or the policy is
// exhausted. A response that was received is always returned, also when the context
// ended meanwhile: it may hold a token that exists nowhere else.
func (x *exchange) run(ctx context.Context) (*Response, error) {
	policy := x.client.retry
	for n := 0; ; n++ {
		response, err := x.attempt(ctx)
		if n >= policy.MaxRetries || !x.mayRetry(response, err) || slices.Contains(x.noRetry, statusOf(response)) {
			return response, err
		}
		delay := policy.delay(n, response)
		if deadline, ok := ctx.Deadline(); delay > policy.MaxDelay || (ok && time.Until(deadline) < delay) {
			return response, err
		}
		x.client.logger.WarnContext(ctx, "globusauth: retrying request", "operation", x.op.id, "address", x.client.address,
			"retry", n+1, "delay", delay, "status", statusOf(response), "error", err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, x.failed(fmt.Errorf("waiting to retry the request: %w", ctx.Err()))
		}
	}
}

func statusOf(response *Response) int {
	if response == nil {
		return 0
	}
	return response.StatusCode
}

func (x *exchange) mayRetry(response *Response, err error) bool {
	class := x.op.retry
	if failed, ok := errors.AsType[*callError](err); ok {
		return failed.lost && (class == retrySafe || class == retryUnsent && failed.unsent)
	}
	switch response.StatusCode {
	case http.StatusMisdirectedRequest: // not processed; to be retried over another connection (RFC 9110 section 15.5.20)
		x.http.Transport = x.client.fresh
		return class != retryNever
	case http.StatusTooManyRequests, http.StatusTooEarly: // not processed
		return class != retryNever
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return class == retrySafe
	}
	return false
}
