package identitymap

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

// splits is how many more parts of a batch may be refused than answered.
const splits = 12

// askInParts asks for a batch; if the service refuses it with 400, for its halves,
// so that only the bad keys fail. It returns an entry or an error for each call.
func (m *Map) askInParts(ctx context.Context, b *batch) ([]*entry, []error) {
	found, errs := make([]*entry, len(b.calls)), make([]error, len(b.calls))
	credit := splits
	var ask func(from, to int)
	ask = func(from, to int) {
		var err error
		if to-from < len(b.calls) {
			err = m.refused() // meanwhile
		}
		if err == nil {
			var got []*entry
			got, err = m.ask(ctx, b.kind, b.calls[from:to])
			copy(found[from:], got)
			if rateLimited(err) {
				m.refuse(err, b.calls[from].refusals)
			}
		}
		switch {
		case err == nil:
			credit++
			return
		case to-from > 1 && credit > 0 && malformed(err):
			credit--
			middle := (from + to) / 2
			ask(from, middle)
			ask(middle, to)
			return
		}
		for i := from; i < to; i++ {
			if found[i] == nil {
				errs[i] = err
			}
		}
	}
	ask(0, len(b.calls))
	return found, errs
}

// malformed reports whether the service refused what it was sent.
func malformed(err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	return ok && (refusal.StatusCode == http.StatusBadRequest || refusal.StatusCode == http.StatusRequestURITooLong)
}

// ask sends one request and returns an entry for each call. An error is about
// those for which it returns nil.
func (m *Map) ask(ctx context.Context, k kind, calls []*call) ([]*entry, error) {
	// Two calls have the same key when it was changed while the first was in flight.
	keys, records := make([]string, 0, len(calls)), make(map[string]*entry, len(calls))
	for _, c := range calls {
		if _, repeated := records[c.key.text]; !repeated {
			records[c.key.text] = nil
			keys = append(keys, c.key.text)
		}
	}
	var params gen.GetIdentitiesParams
	if k == username {
		params.Usernames, params.Provision = keys, m.config.Provision
	} else {
		params.IDs = keys
	}
	if m.config.Providers {
		params.Include = []gen.IdentityInclude{gen.IdentityIncludeIdentityProvider}
	}
	list, err := m.config.Client.GetIdentities(ctx, &params, globusauth.WithoutRetryOn(http.StatusTooManyRequests))
	if err != nil {
		return nil, err
	}
	nameless, err := match(k, records, list)
	if err != nil {
		return nil, err
	}
	found := make([]*entry, len(calls))
	for i, c := range calls {
		switch e := records[c.key.text]; {
		case e != nil:
			found[i] = e
		case nameless == 0:
			found[i] = &entry{missing: true}
		case err == nil:
			// The key may belong to one of those.
			err = fmt.Errorf("%d of %d identities came without their ID or username; a token with the scope view_identities sees them", nameless, len(list.Identities))
		}
	}
	return found, err
}

// match puts the record of each key into records. Others are dropped. It returns
// how many records cannot be matched.
func match(k kind, records map[string]*entry, list *gen.IdentityList) (nameless int, err error) {
	if list.Identities == nil {
		// Not an empty list: it does not say that identities are missing.
		return 0, fmt.Errorf("GetIdentities: %w: it has no list of identities", globusauth.ErrMalformedResponse)
	}
	providers := make(map[string]*gen.IdentityProvider, len(list.Included.IdentityProviders))
	for i := range list.Included.IdentityProviders {
		p := &list.Included.IdentityProviders[i]
		providers[p.ID] = p
	}
	for i := range list.Identities {
		who := &list.Identities[i]
		text := who.ID
		if k == username {
			text = who.Username
		}
		if who.ID == "" || text == "" {
			nameless++
			continue
		}
		if e, asked := records[lower(text)]; asked && e == nil {
			records[lower(text)] = &entry{identity: Identity{Identity: *who, Provider: providers[who.IdentityProvider]}}
		}
	}
	return nameless, nil
}
