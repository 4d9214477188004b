package resourceserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unique"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
)

const (
	maxInvalidTime    = 10 * time.Second // that an invalid token is remembered
	maxIntrospections = 64               // in flight in a lane
	maxWaiting        = 1000             // for a lane
	requestTimeout    = 10 * time.Second // of one introspection, grant, or request to Groups, retries included
)

// tokenKey is the keyed hash of a token.
type tokenKey [sha256.Size]byte

// callerKey is the key of an introspection that contains certain needs.
type callerKey struct {
	token tokenKey
	needs uint32
}

// lane limits introspections. Tokens that were valid at their last introspection have a lane of their own, so that
// unknown tokens cannot hold them up.
type lane struct{ slots, waiting *semaphore.Weighted }

func newLane() lane {
	return lane{semaphore.NewWeighted(maxIntrospections), semaphore.NewWeighted(maxWaiting)}
}

// enter waits for a slot. After a nil error the caller releases it.
func (l lane) enter(ctx context.Context) error {
	if !l.waiting.TryAcquire(1) {
		return errors.New("too many introspections wait already")
	}
	defer l.waiting.Release(1)
	return l.slots.Acquire(ctx, 1)
}

// entry is a cached introspection. It is never changed.
type entry struct {
	identity *Identity // nil for an invalid token
	until    time.Time
}

func (a *API) keyOf(token string) tokenKey {
	var buffer [32 + 256]byte
	return sha256.Sum256(append(append(buffer[:0], a.secret[:]...), token...))
}

// errInvalid is the response to a token that the service calls inactive, or that is for another resource server.
func errInvalid() *DeniedError {
	return &DeniedError{Status: http.StatusUnauthorized, Code: invalidToken, Message: "the token is expired, revoked, unknown, or for another resource server"}
}

// identify returns the identity behind a token, from the cache or by an introspection. The error is a *DeniedError.
func (a *API) identify(ctx context.Context, token string, key tokenKey) (*Identity, error) {
	wanted := a.needs.Load()
	cached, ok := a.cached(callerKey{key, wanted.number})
	if ok {
		a.config.Observer.CacheHit()
	} else {
		var err error
		if cached, err = a.introspectOnce(ctx, token, key, wanted); err != nil {
			return nil, err
		}
	}
	if cached.identity == nil {
		return nil, errInvalid()
	}
	return cached.identity, nil
}

func (a *API) cached(key callerKey) (*entry, bool) {
	cached, ok := a.callers.GetIfPresent(key)
	return cached, ok && a.now().Before(cached.until)
}

func (a *API) introspectOnce(ctx context.Context, token string, key tokenKey, wanted *needs) (*entry, error) {
	return once(ctx, a, fmt.Sprintf("introspect/%d/%x", wanted.number, key), func(ctx context.Context) (*entry, error) {
		if cached, ok := a.cached(callerKey{key, wanted.number}); ok {
			return cached, nil // The call before this one ended after the caller looked.
		}
		return a.introspect(ctx, token, key, wanted)
	})
}

// once joins the call with the same name in flight, or begins one that does not end with ctx. The error is a *DeniedError
// with status 503, unless the call's is a *DeniedError.
func once[T any](ctx context.Context, a *API, name string, call func(ctx context.Context) (T, error)) (result T, err error) {
	done := a.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		return call(ctx)
	})
	var landed singleflight.Result
	select {
	case landed = <-done:
		result, _ = landed.Val.(T)
		err = landed.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	return result, unavailable(err)
}

// unavailable makes a *DeniedError of a failed request to the service.
func unavailable(err error) error {
	if _, ok := errors.AsType[*DeniedError](err); ok || err == nil {
		return err
	}
	denial := &DeniedError{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "the authorization service is unavailable; try again later", cause: err}
	if failure, ok := errors.AsType[*apierror.Error](err); ok {
		denial.retryAfter = failure.RetryAfter
	}
	return denial
}

// introspect returns an introspection of the service, or one of another process.
func (a *API) introspect(ctx context.Context, token string, key tokenKey, wanted *needs) (cached *entry, err error) {
	lane := a.unknown
	if before, ok := a.callers.GetIfPresent(callerKey{key, wanted.number}); ok && before.identity != nil {
		lane = a.known
	}
	if a.config.SharedCache == nil {
		cached, _, err = a.ask(ctx, token, wanted, lane)
	} else {
		cached, err = a.fetch(ctx, token, wanted, lane)
	}
	if err == nil {
		a.callers.Set(callerKey{key, wanted.number}, cached)
	}
	return cached, err
}

// ask sends an introspection.
func (a *API) ask(ctx context.Context, token string, wanted *needs, lane lane) (*entry, *gen.Introspection, error) {
	if err := lane.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer lane.slots.Release(1)
	a.config.Observer.Introspection()
	found, err := a.config.OAuth.Introspect(ctx, token, flows.IntrospectOptions{
		IdentitySet: true, IdentitySetDetail: wanted.details, SessionInfo: wanted.session, Policies: wanted.policies,
	})
	if err != nil {
		return nil, nil, err
	}
	return a.newEntry(found, wanted), found, nil
}

// newEntry says whom a token belongs to, and for how long that is used.
func (a *API) newEntry(found *gen.Introspection, wanted *needs) *entry {
	now := a.now()
	if !found.Active || !found.Exp.After(now) || found.Sub == "" || !contains(found.Aud, a.config.OAuth.ClientID) {
		return &entry{until: now.Add(min(a.config.CacheTime, maxInvalidTime))}
	}
	valid := &entry{identity: newIdentity(found, wanted), until: now.Add(a.config.CacheTime)}
	if found.Exp.Before(valid.until) {
		valid.until = found.Exp.Time
	}
	return valid
}

// newIdentity keeps what callers need. Text that many tokens share is kept once.
func newIdentity(found *gen.Introspection, wanted *needs) *Identity {
	i := &Identity{
		Subject: found.Sub, Username: found.Username, Name: found.Name, Email: found.Email,
		ClientID: shared(found.ClientID), Scope: shared(found.Scope), Expiry: found.Exp.Time,
		Service: strings.EqualFold(found.Sub, found.ClientID), Identities: []string{found.Sub}, needs: wanted.number,
	}
	for _, id := range found.IdentitySet {
		if id != "" && !contains(i.Identities, id) {
			i.Identities = append(i.Identities, id)
		}
	}
	for _, linked := range found.IdentitySetDetail {
		id := linked.Sub
		if id == "" {
			id = linked.ID
		}
		if id == "" {
			continue
		}
		if !contains(i.Identities, id) {
			i.Identities = append(i.Identities, id)
		}
		i.Linked = append(i.Linked, gen.LinkedIdentity{
			ID: id, Sub: id, Username: linked.Username, Name: linked.Name, Email: linked.Email, Organization: linked.Organization,
			IdentityProvider: shared(linked.IdentityProvider), IdentityProviderDisplayName: shared(linked.IdentityProviderDisplayName),
			LastAuthentication: linked.LastAuthentication,
		})
	}
	for id, authentication := range found.SessionInfo.Authentications {
		if !i.Is(id) {
			continue // Another person's login in the same session proves nothing about this one.
		}
		i.Authentications = append(i.Authentications, newAuthentication(id, authentication))
	}
	slices.SortFunc(i.Authentications, func(x, y Authentication) int { return y.Time.Compare(x.Time) })
	for id, policy := range found.PolicyEvaluations {
		if policy.Evaluation {
			if i.policies == nil {
				i.policies = map[string]bool{}
			}
			i.policies[strings.ToLower(id)] = true
		}
	}
	return i
}

func newAuthentication(id string, found gen.SessionAuthentication) Authentication {
	return Authentication{IdentityID: id, Provider: shared(found.IDP), Time: found.AuthTime.Time, Methods: slices.Clip(found.AMR), Context: shared(found.ACR)}
}

func shared(text string) string { return unique.Make(text).Value() }

func prefixed(what string, err error) error {
	prefix.Add(&err, "resourceserver: "+what)
	return err
}
