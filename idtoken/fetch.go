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
	// How long keys are used before they are fetched again is for Cache-Control to say,
	// within bounds.
	minFreshness     = 5 * time.Minute
	maxFreshness     = 24 * time.Hour
	defaultFreshness = time.Hour
)

// fetch fetches the configuration and the keys. A search fetches the keys alone and does
// not change how long they may be used.
func (s *source) fetch(ctx context.Context, before *keySet, searching bool) (*keySet, error) {
	fetched := &keySet{}
	if searching {
		fetched.configuration = before.configuration
	} else if err := s.get(ctx, "the OpenID configuration", s.config.ConfigurationURL, func(body []byte, _ http.Header) (err error) {
		fetched.configuration, err = s.parseConfiguration(body)
		return err
	}); err != nil {
		return nil, err
	}
	err := s.get(ctx, "the signing keys", fetched.configuration.jwksURL, func(body []byte, header http.Header) (err error) {
		fetched.keys, err = parseKeys(body)
		fetched.freshUntil = s.config.Now().Add(freshness(header))
		return err
	})
	if searching {
		fetched.freshUntil = before.freshUntil
	}
	return fetched, err
}

// get fetches one document of bounded size.
func (s *source) get(ctx context.Context, what, location string, parse func([]byte, http.Header) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("fetching %s from %s: %w", what, printURL(location), err)
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.config.HTTPClient.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // The URL that url.Error would print has a query.
		}
		return err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing was written.
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(response.Body, maxDocumentBytes+1)); err != nil {
		return err
	}
	switch {
	case body.Len() > maxDocumentBytes:
		return fmt.Errorf("the response is longer than %d bytes", maxDocumentBytes)
	case response.StatusCode != http.StatusOK:
		return apierror.FromResponse(what, response.StatusCode, response.Header, body.Bytes())
	}
	return parse(body.Bytes(), response.Header)
}

// freshness reads Cache-Control (RFC 9111 section 5.2.2). Package httpcc, which jwx brings,
// panics at "max-age=".
func freshness(header http.Header) time.Duration {
	fresh := defaultFreshness
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(header.Values("Cache-Control"), ",")), ",") {
		name, argument, _ := strings.Cut(directive, "=")
		switch strings.TrimSpace(name) {
		case "no-store", "no-cache":
			return minFreshness
		case "max-age":
			seconds, _ := strconv.ParseUint(strings.Trim(argument, ` "`), 10, 64) // 0, or the greatest number
			fresh = max(time.Duration(min(seconds, uint64(maxFreshness/time.Second)))*time.Second, minFreshness)
		}
	}
	return fresh
}
