package globusauth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

const (
	defaultRetries = 5
	maxDelay       = 10 * time.Second // between two attempts
)

// retryClass says when a failed operation may be retried.
type retryClass uint8

const (
	retryNever  retryClass = iota
	retryUnsent            // only if the service cannot have processed it
	retrySafe              // idempotent
)

// run sends the request until it succeeds, fails permanently, or the retries are
// exhausted. It returns a received response even if the context has ended: no later
// response has its tokens.
func (x *exchange) run(ctx context.Context) (response, error) {
	for n := 0; ; n++ {
		got, err := x.attempt(ctx)
		if n >= x.client.maxRetries || slices.Contains(x.noRetry, got.status) || !x.mayRetry(got.status, err) {
			return got, err
		}
		delay := min(maxDelay, time.Duration(math.Ldexp(0.25+0.5*x.client.random(), min(n, 30))*float64(time.Second)))
		if wait := apierror.FromResponse("", got.status, got.header, nil).RetryAfter; wait > 0 {
			delay = wait
		}
		if deadline, ok := ctx.Deadline(); delay > maxDelay || (ok && time.Until(deadline) < delay) {
			return got, err
		}
		x.client.logger.WarnContext(ctx, "globusauth: retrying request", "operation", x.op.id, "address", x.client.address,
			"retry", n+1, "delay", delay, "status", got.status, "error", err)
		if err := x.client.wait(ctx, delay); err != nil {
			return response{}, x.failed(fmt.Errorf("waiting to retry the request: %w", err))
		}
		x.fresh = true // 421 asks for another connection (RFC 9110 section 15.5.20)
	}
}

func (x *exchange) mayRetry(status int, err error) bool {
	class := x.op.retry
	if failed, ok := errors.AsType[*callError](err); ok {
		return failed.lost && (class == retrySafe || class == retryUnsent && failed.unsent)
	}
	switch status {
	case http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests: // not processed
		return class != retryNever
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return class == retrySafe
	}
	return false
}

func sleep(ctx context.Context, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
