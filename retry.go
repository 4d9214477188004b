package globusauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// RetryPolicy says how often and how patiently requests are repeated. The zero
// value is what the official SDKs do: five repeats, at most 10 s apart.
//
// A GET, PUT or DELETE is repeated after a transport error and after the
// statuses 429, 500, 502, 503 and 504; so are introspection, revocation, and
// the client credentials and dependent token grants, which can be done twice
// without harm. Any other POST, and a refresh, is repeated only when it cannot
// have been carried out: after 429, and when no connection could be made. The
// exchange of an authorization code is never repeated.
//
// Before repeat n (from 0) a request waits (0.25 + 0.5·random)·2ⁿ seconds, or
// what Retry-After says. When that is more than MaxDelay, or more than the
// context has left, the answer is returned as an error instead.
type RetryPolicy struct {
	// MaxRetries is the number of repeats; zero means 5, negative none.
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
	retryGrant             // the token endpoint: the grant decides
)

type retrier struct {
	max      int
	maxDelay time.Duration
	random   func() float64
	logger   *slog.Logger
}

func newRetrier(p RetryPolicy, logger *slog.Logger) (retrier, error) {
	r := retrier{max: p.MaxRetries, maxDelay: p.MaxDelay, random: p.Random, logger: logger}
	switch {
	case r.max == 0:
		r.max = defaultRetries
	case r.max < 0:
		r.max = 0
	}
	switch {
	case r.maxDelay < 0:
		return retrier{}, errors.New("globusauth: Config.Retry.MaxDelay is negative")
	case r.maxDelay == 0:
		r.maxDelay = defaultMaxDelay
	}
	if r.random == nil {
		r.random = jitter
	}
	return r, nil
}

// do runs attempt until it succeeds, fails for good, or the policy is
// exhausted. An answer that was received is always returned, also when ctx
// ended meanwhile: it may hold a token that exists nowhere else. A notice that
// is not nil is called before every pause.
func (r retrier) do(ctx context.Context, op operation, notice func(int, time.Duration), attempt func() (*Response, time.Duration, error)) (*Response, error) {
	for n := 0; ; n++ {
		answer, retryAfter, err := attempt()
		if n >= r.max || !mayRepeat(op.retry, answer, err) {
			return answer, err
		}
		delay := min(r.maxDelay, time.Duration((0.25+0.5*r.random())*float64(time.Second)*float64(uint64(1)<<min(n, 30))))
		if retryAfter > 0 {
			delay = retryAfter
		}
		if deadline, ok := ctx.Deadline(); delay > r.maxDelay || (ok && time.Until(deadline) < delay) {
			return answer, err
		}
		r.logger.WarnContext(ctx, "globusauth: repeating request", "operation", op.id, "repeat", n+1, "delay", delay, "status", statusOf(answer), "error", err)
		if notice != nil {
			notice(statusOf(answer), delay)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("globusauth: %s: waiting to repeat the request: %w", op.id, ctx.Err())
		}
	}
}

func statusOf(answer *Response) int {
	if answer == nil {
		return 0
	}
	return answer.StatusCode
}

func mayRepeat(class retryClass, answer *Response, err error) bool {
	if class == retryNever {
		return false
	}
	if err != nil {
		failed, ok := errors.AsType[*transportError](err)
		return ok && (failed.unsent || class == retrySafe)
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return class == retrySafe
	}
	return false
}

// transportError is a request without an answer.
type transportError struct {
	unsent bool // no connection was made, so the service cannot have acted
	err    error
}

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// classify tells errors that a repeat may mend from those it cannot: the
// context's end, a refused redirect, a certificate.
func classify(ctx context.Context, err error) error {
	// The URL in a url.Error can hold user names in its query.
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
		if outer.Timeout() && ctx.Err() == nil {
			return &transportError{err: fmt.Errorf("no answer in time: %w", err)}
		}
	}
	if ctx.Err() != nil || errors.Is(err, ErrRedirect) || errors.Is(err, ErrResponseTooLarge) {
		return err
	}
	if isCertificateError(err) {
		return err
	}
	dial, isOp := errors.AsType[*net.OpError](err)
	return &transportError{unsent: isOp && dial.Op == "dial", err: err}
}
