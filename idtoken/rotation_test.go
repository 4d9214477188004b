package idtoken_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// TestVerifierVerify_KeyRotation replaces the key while tokens are being verified.
func TestVerifierVerify_KeyRotation(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		oldToken, newToken := longLived(t, keyOne(), nil), longLived(t, keyTwo(), nil)
		verify := func(raw string) error {
			_, err := verifier.Verify(t.Context(), raw, someNonce())
			return err
		}

		if err := verify(oldToken); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) { p.keys = keySet(t, publicJWK(keyTwo())) })
		if err := verify(oldToken); err != nil {
			t.Errorf("the old key is known and fresh: %v", err)
		}
		if err := verify(newToken); err != nil {
			t.Errorf("the new key was not found: %v", err)
		}
		wantCheck(t, verify(oldToken), "signature")
		if got := p.count(keysPath); got != 2 {
			t.Errorf("%d fetches of the keys, want 2: at first, and for the new key", got)
		}
		if got := p.count(configurationPath); got != 1 {
			t.Errorf("%d fetches of the configuration, want 1", got)
		}

		// A second replacement within ten seconds is found when they are over.
		p.set(func(p *provider) { p.keys = keySet(t, publicJWK(keyThree())) })
		newest := longLived(t, keyThree(), nil)
		wantCheck(t, verify(newest), "signature")
		time.Sleep(10 * time.Second)
		if err := verify(newest); err != nil {
			t.Errorf("the newest key was not found after ten seconds: %v", err)
		}
	})
}

// TestVerifierVerify_KeyRotationWithKeyIDs does the same with a provider that names its keys.
func TestVerifierVerify_KeyRotationWithKeyIDs(t *testing.T) {
	t.Parallel()
	p := newProvider(t, with(publicJWK(keyOne()), object{"kid": "one"}))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), object{"kid": "one"}), someNonce()); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) {
			p.keys = keySet(t, with(publicJWK(keyOne()), object{"kid": "one"}), with(publicJWK(keyTwo()), object{"kid": "two"}))
		})
		if _, err := verifier.Verify(t.Context(), longLived(t, keyTwo(), object{"kid": "two"}), someNonce()); err != nil {
			t.Error(err)
		}
		_, err := verifier.Verify(t.Context(), longLived(t, keyTwo(), object{"kid": "one"}), someNonce())
		wantCheck(t, err, "signature")
		_, err = verifier.Verify(t.Context(), longLived(t, keyTwo(), object{"kid": "three"}), someNonce())
		wantCheck(t, err, "signature")
	})
}

// TestVerifierVerify_ForgedFloodAroundRotation has a forger send tokens of unknown keys
// at every rhythm around the moment when the key is replaced. A token of the new key is
// accepted at once if it carries the nonce of its login, and else within ten seconds; the
// provider is asked a bounded number of times.
func TestVerifierVerify_ForgedFloodAroundRotation(t *testing.T) {
	t.Parallel()
	const bound = 10 * time.Second // between two searches
	anyNonce := idtoken.Expect{NoNonce: true}
	rhythms := map[string]time.Duration{
		"none": 0, "ten each second": 100 * time.Millisecond, "one each second": time.Second, "just within the bound": bound - time.Millisecond,
		"as the bound": bound, "just beyond the bound": bound + time.Millisecond, "one a minute": time.Minute,
	}
	for name, rhythm := range rhythms {
		for _, early := range []time.Duration{0, time.Millisecond, time.Second, bound - time.Millisecond} {
			t.Run(fmt.Sprint(name, ", the last ", early, " before the rotation"), func(t *testing.T) {
				t.Parallel()
				p := newProvider(t, with(publicJWK(keyOne()), object{"kid": "one"}))
				p.header = http.Header{"Cache-Control": {"max-age=86400"}} // no fetch but for a search
				inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
					t.Helper()
					verifier := newVerifier(t, config)
					if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), object{"kid": "one"}), anyNonce); err != nil {
						t.Fatal(err)
					}
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					forged := longLived(t, keyTwo(), object{"kid": "forged"})
					forge := func() {
						_, err := verifier.Verify(t.Context(), forged, anyNonce)
						wantCheck(t, err, "signature")
					}
					var forger sync.WaitGroup
					if rhythm > 0 {
						forger.Go(func() {
							for ticks := time.NewTicker(rhythm); ctx.Err() == nil; {
								forge()
								select {
								case <-ticks.C:
								case <-ctx.Done():
									ticks.Stop()
									return
								}
							}
						})
					}
					time.Sleep(time.Minute)
					forge()
					time.Sleep(early)
					p.set(func(p *provider) { p.keys = keySet(t, with(publicJWK(keyThree()), object{"kid": "three"})) })
					honest, rotated := longLived(t, keyThree(), object{"kid": "three"}), time.Now()
					for {
						_, err := verifier.Verify(t.Context(), honest, anyNonce)
						if err == nil {
							break
						}
						if waited := time.Since(rotated); waited >= bound {
							t.Fatalf("the new key was not found after %s: %v", waited, err)
						}
						time.Sleep(100 * time.Millisecond)
					}
					minutes := 1 + int(time.Since(rotated.Add(-time.Minute-early))/time.Minute)
					if got := p.count(keysPath); got > 1+6*minutes+1 {
						t.Errorf("%d requests for keys in less than %d minutes", got, minutes)
					}
					stop()
					forger.Wait()
				})
			})
		}
	}
}

// TestVerifierVerify_ForgedTokenBeforeLogin checks that the ID token of a login finds a
// new key at once, although a forger has just used up what others may search.
func TestVerifierVerify_ForgedTokenBeforeLogin(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), nil), someNonce()); err != nil {
			t.Fatal(err)
		}
		forge := func() {
			_, err := verifier.Verify(t.Context(), longLived(t, keyTwo(), nil), idtoken.Expect{NoNonce: true})
			wantCheck(t, err, "signature")
			foreign := sign(t, keyTwo(), globusHeader(), with(globusClaims(), object{"nonce": "guessed"}))
			_, err = verifier.Verify(t.Context(), foreign, someNonce())
			wantCheck(t, err, "signature")
		}
		forge()
		p.set(func(p *provider) { p.keys = keySet(t, publicJWK(keyThree())) })
		forge()
		if _, err := verifier.Verify(t.Context(), longLived(t, keyThree(), nil), someNonce()); err != nil {
			t.Errorf("the new key was not found: %v", err)
		}
		if got := p.count(keysPath); got != 3 {
			t.Errorf("%d fetches of the keys, want 3: at first, for the forger, for the login", got)
		}
	})
}

// TestVerifierVerify_ForgedTokenOfAnotherClient checks that a token that would be refused
// anyway causes no search.
func TestVerifierVerify_ForgedTokenOfAnotherClient(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		for _, change := range []object{{"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1}, {"nonce": "x"}, {"sub": nil}} {
			_, err := verifier.Verify(t.Context(), sign(t, keyTwo(), globusHeader(), with(globusClaims(), change)), full())
			wantCheck(t, err, "signature")
		}
		if got := p.count(keysPath); got != 1 {
			t.Errorf("%d fetches of the keys, want 1", got)
		}
	})
}

// TestVerifierVerify_SearchesDoNotPostponeTheRefresh checks that keys and configuration
// are fetched again when it is time, however often a forger causes a search.
func TestVerifierVerify_SearchesDoNotPostponeTheRefresh(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		good, forged := longLived(t, keyOne(), nil), longLived(t, keyTwo(), nil)
		for range 2 * 60 {
			if _, err := verifier.Verify(t.Context(), good, someNonce()); err != nil {
				t.Fatal(err)
			}
			_, err := verifier.Verify(t.Context(), forged, someNonce())
			wantCheck(t, err, "signature")
			time.Sleep(time.Minute)
		}
		if got := p.count(configurationPath); got != 2 {
			t.Errorf("%d requests for the configuration in two hours, want 2", got)
		}
	})
}

// TestVerifierVerify_SearchUnderWayBeforeRotation has a search that began before the key
// was replaced: a token with its login's nonce does not depend on it, whichever response
// comes first, and the older response does not replace the newer keys.
func TestVerifierVerify_SearchUnderWayBeforeRotation(t *testing.T) {
	t.Parallel()
	for _, olderFirst := range []bool{true, false} {
		p := newProvider(t, publicJWK(keyOne()))
		inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
			t.Helper()
			verifier := newVerifier(t, config)
			if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), nil), someNonce()); err != nil {
				t.Fatal(err)
			}
			older, newer := make(chan struct{}), make(chan struct{})
			p.set(func(p *provider) { p.hang = older })
			var callers sync.WaitGroup
			callers.Go(func() {
				_, err := verifier.Verify(t.Context(), longLived(t, keyTwo(), nil), idtoken.Expect{NoNonce: true})
				wantCheck(t, err, "signature")
			})
			synctest.Wait()
			p.set(func(p *provider) { p.keys, p.hang = keySet(t, publicJWK(keyThree())), newer })
			verify := func() {
				if _, err := verifier.Verify(t.Context(), longLived(t, keyThree(), nil), someNonce()); err != nil {
					t.Errorf("older response first: %t: the new key was not found: %v", olderFirst, err)
				}
			}
			callers.Go(verify)
			synctest.Wait()
			first, second := older, newer
			if !olderFirst {
				first, second = newer, older
			}
			close(first)
			synctest.Wait()
			close(second)
			callers.Wait()
			verify()
		})
	}
}

// TestVerifierVerify_NewerKeysFoundByAnotherCaller has another caller fetch the new keys between the
// moment when a caller finds that the old ones do not fit and the moment when it would
// fetch new ones itself. The clock is asked at both moments.
func TestVerifierVerify_NewerKeysFoundByAnotherCaller(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		readings, now := 0, config.Now
		var between func()
		config.Now = func() time.Time {
			readings++
			if readings == 2 && between != nil {
				between()
			}
			return now()
		}
		verifier := newVerifier(t, config)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), nil), someNonce()); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *provider) { p.keys = keySet(t, publicJWK(keyTwo())) })
		raw := longLived(t, keyTwo(), nil)
		readings, between = 0, func() {
			if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
				t.Error(err)
			}
		}
		if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
			t.Error(err)
		}
		if got := p.count(keysPath); got != 2 || readings < 3 {
			t.Errorf("%d fetches of the keys, want 2; the clock was read %d times", got, readings)
		}
	})
}

// TestVerifierVerify_ConcurrentCallersShareOneSearch does the same when the keys are known and none fits.
func TestVerifierVerify_ConcurrentCallersShareOneSearch(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		verifier := newVerifier(t, config)
		if _, err := verifier.Verify(t.Context(), longLived(t, keyOne(), nil), someNonce()); err != nil {
			t.Fatal(err)
		}
		hang := make(chan struct{})
		p.set(func(p *provider) { p.hang, p.keys = hang, keySet(t, publicJWK(keyTwo())) })
		raw := longLived(t, keyTwo(), nil)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if _, err := verifier.Verify(t.Context(), raw, someNonce()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := verifier.Verify(impatient, raw, someNonce())
		if _, ok := errors.AsType[idtoken.CheckError](err); ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller with a deadline got %v, want no verdict on the token", err)
		}
		close(hang)
		callers.Wait()
		if got := p.count(keysPath); got != 2 {
			t.Errorf("%d fetches of the keys, want 2", got)
		}
	})
}
