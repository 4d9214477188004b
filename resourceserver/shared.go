package resourceserver

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/sharedcache"
)

// record is an introspection in the shared cache.
type record struct {
	Found gen.Introspection `json:"found"`
	Until time.Time         `json:"until"`
}

// sharedSecret is common to all processes with the same client.
func sharedSecret(oauth flows.Config) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(oauth.ClientSecret), []byte(oauth.ClientID), "resourceserver: shared cache", sha256.Size)
}

// sharedName names an introspection. It does not show the token.
func (a *API) sharedName(token string, wanted *needs) string {
	mac := hmac.New(sha256.New, a.shared)
	_, _ = fmt.Fprintf(mac, "%t %t %q %s", wanted.session, wanted.details, wanted.policies, token)
	return fmt.Sprintf("introspection 1 %s %x", a.config.OAuth.Auth.BaseURL(), mac.Sum(nil))
}

// fetch looks into the shared cache before it sends an introspection.
func (a *API) fetch(ctx context.Context, token string, wanted *needs, lane lane) (cached *entry, err error) {
	name := a.sharedName(token, wanted)
	values := a.config.SharedCache.Fetch(ctx, []string{name}, func(ctx context.Context, _ []string) map[string]sharedcache.Value {
		var found *gen.Introspection
		if cached, found, err = a.ask(ctx, token, wanted, lane); err != nil {
			return nil
		}
		data, problem := json.Marshal(record{*found, cached.until})
		if problem != nil {
			return nil
		}
		return map[string]sharedcache.Value{name: {Data: data, TTL: cached.until.Sub(a.now())}}
	})
	if cached != nil || err != nil {
		return cached, err
	}
	if cached = a.unpack(values[name], wanted); cached != nil {
		a.config.Observer.CacheHit()
		return cached, nil
	}
	cached, _, err = a.ask(ctx, token, wanted, lane) // ctx has ended, or what was found is unreadable or expired
	return cached, err
}

// unpack returns nil for what is unreadable or expired.
func (a *API) unpack(value []byte, wanted *needs) *entry {
	var r record
	if json.Unmarshal(value, &r) != nil {
		return nil
	}
	cached := a.newEntry(&r.Found, wanted)
	if r.Until.Before(cached.until) {
		cached.until = r.Until
	}
	if !a.now().Before(cached.until) {
		return nil
	}
	return cached
}
