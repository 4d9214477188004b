package idtoken_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// TestRotation replaces the key while tokens are being verified.
func TestRotation(t *testing.T) {
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

		// A second replacement within the minute is found when the minute is over.
		p.set(func(p *provider) { p.keys = keySet(t, publicJWK(keyThree())) })
		newest := longLived(t, keyThree(), nil)
		wantCheck(t, verify(newest), "signature")
		time.Sleep(time.Minute)
		if err := verify(newest); err != nil {
			t.Errorf("the newest key was not found after a minute: %v", err)
		}
	})
}

// TestRotationByKeyID does the same with a provider that names its keys.
func TestRotationByKeyID(t *testing.T) {
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
		wantCheck(t, err, "key")
	})
}

// TestForgedKeyIDFlood counts what a flood of forged tokens costs the provider.
func TestForgedKeyIDFlood(t *testing.T) {
	t.Parallel()
	p := newProvider(t, with(publicJWK(keyOne()), object{"kid": "one"}))
	inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
		t.Helper()
		config.MinFreshness = 24 * time.Hour // no fetch but for the flood
		verifier := newVerifier(t, config)
		good := longLived(t, keyOne(), object{"kid": "one"})
		if _, err := verifier.Verify(t.Context(), good, someNonce()); err != nil {
			t.Fatal(err)
		}
		const minutes = 5
		for minute := range minutes {
			for i := range 60 {
				forged := longLived(t, keyTwo(), object{"kid": fmt.Sprint(minute, i)})
				_, err := verifier.Verify(t.Context(), forged, someNonce())
				wantCheck(t, err, "key")
				time.Sleep(time.Second)
			}
		}
		if _, err := verifier.Verify(t.Context(), good, someNonce()); err != nil {
			t.Errorf("a good token after the flood: %v", err)
		}
		if got := p.count(keysPath) - 1; got != minutes {
			t.Errorf("%d fetches in %d minutes", got, minutes)
		}
		if got := p.count(configurationPath); got != 1 {
			t.Errorf("%d fetches of the configuration, want 1", got)
		}
	})
}

// TestNewerKeysOfAnotherCaller has another caller fetch the new keys between the
// moment when a caller finds that the old ones do not fit and the moment when it would
// fetch new ones itself. The clock is asked at both moments.
func TestNewerKeysOfAnotherCaller(t *testing.T) {
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

// TestOneSearchForManyCallers does the same when the keys are known and none fits.
func TestOneSearchForManyCallers(t *testing.T) {
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
