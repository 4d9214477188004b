package idtoken_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/idtoken"
)

// TestVerifierVerify_CacheControl checks how long fetched keys are used, by what HTTP says.
func TestVerifierVerify_CacheControl(t *testing.T) {
	t.Parallel()
	const floor, ceiling = 5 * time.Minute, 24 * time.Hour
	tests := []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"nothing said", http.Header{}, time.Hour},
		{"max-age", http.Header{"Cache-Control": {"public, max-age=7200"}}, 2 * time.Hour},
		{"max-age in another line and case", http.Header{"Cache-Control": {"public", "Max-Age = \"7200\""}}, 2 * time.Hour},
		{"max-age below the floor", http.Header{"Cache-Control": {"max-age=1"}}, floor},
		{"max-age above the ceiling", http.Header{"Cache-Control": {"max-age=99999999999"}}, ceiling},
		{"max-age without a value", http.Header{"Cache-Control": {"max-age="}}, floor},
		{"max-age that is no number", http.Header{"Cache-Control": {"max-age=soon"}}, floor},
		{"negative max-age", http.Header{"Cache-Control": {"max-age=-1"}}, floor},
		{"no-store", http.Header{"Cache-Control": {"max-age=7200, no-store"}}, floor},
		{"no-cache", http.Header{"Cache-Control": {"no-cache"}}, floor},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, publicJWK(keyOne()))
			p.header = test.header
			inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
				t.Helper()
				verifier := newVerifier(t, config)
				raw := longLived(t, keyOne(), nil)
				verify := func(fetches int) {
					t.Helper()
					if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
						t.Error(err)
					}
					if keys, configurations := p.count(keysPath), p.count(configurationPath); keys != fetches || configurations != fetches {
						t.Errorf("%d and %d fetches after %s, want %d", keys, configurations, config.Now().Sub(issued), fetches)
					}
				}
				verify(1)
				time.Sleep(test.want - time.Second)
				verify(1)
				time.Sleep(time.Second)
				verify(2)
			})
		})
	}
}

// TestVerifierVerify_ProviderDown takes the provider down after its keys are known.
func TestVerifierVerify_ProviderDown(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		raw, forged := longLived(t, keyOne(), nil), longLived(t, keyTwo(), nil)
		verify := func(raw string) error {
			_, err := verifier.Verify(t.Context(), raw, someNonce())
			return err
		}
		if err := verify(raw); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) { p.failure = errDown })

		// The error has both: no known key verifies the token, and the fetch of newer keys failed.
		err := verify(forged)
		wantCheck(t, err, "signature")
		if !errors.Is(err, idtoken.ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("the outage does not show in %v", err)
		}

		// The keys are fresh for one hour and then used for a day.
		for range 25 * 6 {
			if err := verify(raw); err != nil {
				t.Errorf("the last good keys are not used after %s: %v", config.Now().Sub(issued), err)
			}
			time.Sleep(10 * time.Minute)
		}
		err = verify(raw)
		if !errors.Is(err, idtoken.ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("after the stated time: %v", err)
		}
		if _, ok := errors.AsType[idtoken.CheckError](err); ok {
			t.Errorf("an outage is no verdict on the token: %v", err)
		}

		p.set(func(p *provider) { p.failure = nil })
		time.Sleep(time.Minute)
		if err := verify(raw); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// TestVerifierVerify_ProviderHangs checks which callers wait for a provider that accepts requests
// and never responds.
func TestVerifierVerify_ProviderHangs(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		raw := longLived(t, keyOne(), nil)
		waited := func() time.Duration {
			t.Helper()
			begin := time.Now()
			if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
				t.Error(err)
			}
			return time.Since(begin)
		}
		waited()
		hang := make(chan struct{})
		p.set(func(p *provider) { p.hang = hang })
		time.Sleep(time.Hour)
		if got := waited(); got != 10*time.Second {
			t.Errorf("the first caller waited %s, want the time limit of a fetch", got)
		}
		for range 100 {
			if got := waited(); got != 0 {
				t.Errorf("a later caller waited %s", got)
			}
			time.Sleep(time.Minute)
		}
		close(hang)
		time.Sleep(time.Minute)
		waited() // begins the fetch that succeeds
		synctest.Wait()
		before := p.count(keysPath)
		waited()
		if got := p.count(keysPath); got != before {
			t.Errorf("%d fetches after the outage, want none", got-before)
		}

		// Another outage is one of its own.
		p.set(func(p *provider) { p.hang = make(chan struct{}) })
		time.Sleep(time.Hour)
		if got := waited(); got != 10*time.Second {
			t.Errorf("the first caller of another outage waited %s", got)
		}
	})
}

// TestVerifierVerify_EndedContextAndStaleKeys checks that a caller without time for a refresh
// does not get a verdict by keys that may have been withdrawn.
func TestVerifierVerify_EndedContextAndStaleKeys(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier, raw := newVerifier(t, config), longLived(t, keyOne(), nil)
		if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) { p.hang = make(chan struct{}) })
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := verifier.Verify(ctx, raw, someNonce()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Minute) // the fetch ends, and another attempt is due, for which no caller waits
		if _, err := verifier.Verify(ctx, raw, someNonce()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("during the outage: got %v", err)
		}
		time.Sleep(time.Minute)
	})
}

// TestVerifierVerify_ProviderDownAtFirst has a provider that is down before its keys are known: it is
// asked less and less often.
func TestVerifierVerify_ProviderDownAtFirst(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	p.status = http.StatusServiceUnavailable
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		raw := longLived(t, keyOne(), nil)
		for range 600 {
			_, err := verifier.Verify(t.Context(), raw, someNonce())
			if !errors.Is(err, idtoken.ErrUnavailable) || !errors.Is(err, apierror.ErrServer) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		// After 0, 1, 3, 7, 15, 31, 63 s and then once a minute.
		if got := p.count(configurationPath); got != 15 {
			t.Errorf("%d requests in ten minutes, want 15", got)
		}
		p.set(func(p *provider) { p.status = 0 })
		time.Sleep(time.Minute)
		if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
			t.Error(err)
		}
	})
}

// TestVerifierVerify_OnlyConfigurationDown uses the last configuration to search for keys.
func TestVerifierVerify_OnlyConfigurationDown(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), nil), someNonce()); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) {
			p.failure, p.failing = errDown, configurationPath
			p.keys = keySet(t, publicJWK(keyTwo()))
		})
		time.Sleep(time.Hour)
		raw := longLived(t, keyTwo(), nil)
		for range 20 * 60 {
			if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if got := p.count(configurationPath); got > 1+20+6 {
			t.Errorf("%d requests for the configuration, want the first and one a minute after the first of twenty", got)
		}
		time.Sleep(25 * time.Hour)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyTwo(), nil), someNonce()); !errors.Is(err, errDown) {
			t.Errorf("the configuration is too old to be used: %v", err)
		}
	})
}

// TestVerifierVerify_ConcurrentCallersShareOneFetch has a thousand callers wait for one fetch, and takes the
// one that began it away.
func TestVerifierVerify_ConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		hang := make(chan struct{})
		p.hang = hang
		verifier := newVerifier(t, config)
		raw := longLived(t, keyOne(), nil)
		ctx, leave := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := verifier.Verify(ctx, raw, someNonce())
			first <- err
		}()
		synctest.Wait()
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		leave()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first caller got %v", err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := verifier.Verify(impatient, raw, someNonce()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller with a deadline got %v", err)
		}
		close(hang)
		callers.Wait()
		if got := p.count(configurationPath) + p.count(keysPath); got != 2 {
			t.Errorf("%d requests for 1002 callers, want 2", got)
		}
	})
}

// TestVerifierVerify_FetchTimeLimit checks that a fetch ends though no caller limits it.
func TestVerifierVerify_FetchTimeLimit(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		p.hang = make(chan struct{}) // in the bubble, never closed
		begin := time.Now()
		_, err := newVerifier(t, config).Verify(t.Context(), longLived(t, keyOne(), nil), someNonce())
		if !errors.Is(err, idtoken.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

// Plain http off the loopback hosts has to be asked for, and then works, keys
// included.
func TestNew_UnsafeAllowHTTP(t *testing.T) {
	t.Parallel()
	config := idtoken.Config{ClientID: "client", Issuer: "http://auth.internal:8080"}
	if _, err := idtoken.New(config); err == nil || !strings.Contains(err.Error(), "http is for loopback hosts only") {
		t.Fatalf("New = %v", err)
	}
	config.UnsafeAllowHTTP = true
	var asked []string
	config.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		asked = append(asked, req.URL.String())
		body := `{"issuer":"http://auth.internal:8080","jwks_uri":"http://auth.internal:8080/jwk.json","id_token_signing_alg_values_supported":["RS512"]}`
		if strings.HasSuffix(req.URL.Path, "jwk.json") {
			body = `{"keys":[]}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	})}
	verifier, err := idtoken.New(config)
	if err != nil {
		t.Fatal(err)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS512","typ":"JWT"}`))
	_, err = verifier.Verify(t.Context(), header+"."+base64.RawURLEncoding.EncodeToString([]byte(`{}`))+".AAAA", idtoken.Expect{NoNonce: true})
	if err == nil || len(asked) != 2 || asked[1] != "http://auth.internal:8080/jwk.json" {
		t.Errorf("%v after asking %q", err, asked)
	}
}
