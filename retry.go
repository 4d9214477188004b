package globusauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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
// the client credentials and dependent token grants, which are idempotent. Any other
// POST, and a refresh, is retried only if the service cannot have processed it: after
// 421, 425 and 429, and if no connection could be made. The exchange of an
// authorization code is never retried.
//
// A request that must not be sent twice uses a new connection, so that it cannot be
// lost on one that the service has just closed. A Config.HTTPClient whose Transport is
// not an [http.Transport] chooses connections itself.
//
// Before retry n (from 0) a request waits (0.25 + 0.5·random)·2ⁿ seconds, or
// the time in Retry-After. If that is longer than MaxDelay, or than the context
// allows, the response is returned as an error instead. Every retry is logged at
// level Warn before its pause, see [Config.Logger].
type RetryPolicy struct {
	// MaxRetries limits the retries; zero means 5, negative no retries.
	MaxRetries int
	// MaxDelay is the longest pause; zero means 10 s.
	MaxDelay time.Duration
}

// retryClass says when a failed operation may be retried.
type retryClass uint8

const (
	retryNever  retryClass = iota
	retryUnsent            // only if the service cannot have processed it
	retrySafe              // idempotent
)

// normal returns the policy with its defaults filled in.
func (p RetryPolicy) normal() (RetryPolicy, error) {
	if p.MaxDelay < 0 {
		return p, errors.New("globusauth: Config.Retry.MaxDelay is negative")
	}
	return RetryPolicy{MaxRetries: max(cmp.Or(p.MaxRetries, defaultRetries), 0), MaxDelay: cmp.Or(p.MaxDelay, defaultMaxDelay)}, nil
}

// delay returns how long to wait before retry n.
func (c *Client) delay(n int, response *Response) time.Duration {
	switch statusOf(response) {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if wait := apierror.FromResponse("", response.StatusCode, response.Header, nil).RetryAfter; wait > 0 {
			return wait
		}
	}
	return min(c.retry.MaxDelay, time.Duration(math.Ldexp(0.25+0.5*c.random(), min(n, 30))*float64(time.Second)))
}

// run sends the request until it succeeds, fails permanently, or the policy is
// exhausted. It returns a received response even if the context has ended: no later
// response has its tokens.
func (x *exchange) run(ctx context.Context) (*Response, error) {
	policy := x.client.retry
	for n := 0; ; n++ {
		response, err := x.attempt(ctx)
		if n >= policy.MaxRetries || !x.mayRetry(response, err) || slices.Contains(x.noRetry, statusOf(response)) {
			return response, err
		}
		delay := x.client.delay(n, response)
		if deadline, ok := ctx.Deadline(); delay > policy.MaxDelay || (ok && time.Until(deadline) < delay) {
			return response, err
		}
		x.client.logger.WarnContext(ctx, "globusauth: retrying request", "operation", x.op.id, "address", x.client.address,
			"retry", n+1, "delay", delay, "status", statusOf(response), "error", err)
		if err := x.client.wait(ctx, delay); err != nil {
			return nil, x.failed(fmt.Errorf("waiting to retry the request: %w", err))
		}
	}
}

func sleep(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
