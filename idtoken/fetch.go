package idtoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

const (
	maxDocumentBytes = 512 << 10
	// How long keys are used before they are fetched again is for HTTP to say, between
	// the first two; the third is for a response that does not say.
	minFreshness     = 5 * time.Minute
	maxFreshness     = 24 * time.Hour
	defaultFreshness = time.Hour
	staleIfError     = 24 * time.Hour // longer than that, while fetching fails
	maxFreshSeconds  = 10 * 365 * 24 * 60 * 60
)

// get fetches one document of bounded size.
func (s *source) get(ctx context.Context, location, what string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("fetching %s: not a URL", what)
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		// The URL that url.Error would print has a query.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, nil, fmt.Errorf("fetching %s from %s: %w", what, printURL(location), err)
	}
	defer response.Body.Close() //nolint:errcheck // Nothing was written.
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(response.Body, maxDocumentBytes+1)); err != nil {
		return nil, nil, fmt.Errorf("fetching %s from %s: %w", what, printURL(location), err)
	}
	if body.Len() > maxDocumentBytes {
		return nil, nil, fmt.Errorf("fetching %s from %s: the response is longer than %d bytes", what, printURL(location), maxDocumentBytes)
	}
	if response.StatusCode != http.StatusOK {
		return nil, nil, apierror.FromResponse("fetching "+what, response.StatusCode, response.Header, body.Bytes())
	}
	return body.Bytes(), response.Header, nil
}

// lifetime says how long a fetched document may be used. The zero value is forever.
type lifetime struct {
	freshUntil, usableUntil time.Time
}

func (l lifetime) forever() bool             { return l.freshUntil.IsZero() }
func (l lifetime) fresh(now time.Time) bool  { return l.forever() || now.Before(l.freshUntil) }
func (l lifetime) usable(now time.Time) bool { return l.forever() || now.Before(l.usableUntil) }

// lifetimeOf says how long a document that came at now may be used.
func lifetimeOf(header http.Header, now time.Time) lifetime {
	fresh := now.Add(min(max(freshness(header), minFreshness), maxFreshness))
	return lifetime{fresh, fresh.Add(staleIfError)}
}

// freshness is the freshness lifetime that a response gives itself (RFC 9111 section
// 4.2). It reads the few directives itself: what cannot be read must neither fail
// the fetch nor stop the program.
func freshness(header http.Header) time.Duration {
	age := seconds(header.Get("Age"), 0)
	found, maxAge := false, time.Duration(0)
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			found, maxAge = true, seconds(strings.Trim(strings.TrimSpace(argument), `"`), 0)
		}
	}
	if found {
		return maxAge - age
	}
	text := header.Get("Expires")
	if text == "" {
		return defaultFreshness
	}
	expires, err := http.ParseTime(text)
	if err != nil {
		return 0 // RFC 9111 section 5.3: an unreadable date is in the past.
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return defaultFreshness
	}
	return expires.Sub(date) - age
}

// seconds reads a number of seconds, bounded so that sums do not overflow.
func seconds(text string, otherwise time.Duration) time.Duration {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return otherwise
	}
	return time.Duration(min(n, maxFreshSeconds)) * time.Second
}
