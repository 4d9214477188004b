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

// splits is how many more parts of a batch may be refused than succeed.
const splits = 12

// askInParts asks for calls of one kind; if the service refuses them with 400, for their halves,
// so that only the bad keys fail. It sets the result or the error of each call.
func (m *Map) askInParts(ctx context.Context, k kind, calls []*call) {
	credit := splits
	var ask func(part []*call)
	ask = func(part []*call) {
		var err error
		if len(part) < len(calls) {
			err = m.refused() // meanwhile
		}
		if err == nil {
			err = m.ask(ctx, k, part)
			if rateLimited(err) {
				m.refuse(err, part[0].refusals)
			}
		}
		switch {
		case err == nil:
			credit++
		case len(part) > 1 && credit > 0 && malformed(err):
			credit--
			ask(part[:len(part)/2])
			ask(part[len(part)/2:])
		default:
			for _, c := range part {
				if c.found == nil {
					c.err = err
				}
			}
		}
	}
	ask(calls)
}

// malformed reports whether the service refused what it was sent.
func malformed(err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	return ok && (refusal.StatusCode == http.StatusBadRequest || refusal.StatusCode == http.StatusRequestURITooLong)
}

// ask sends one request and sets what it found for each call. An error is about
// those for which nothing is set.
func (m *Map) ask(ctx context.Context, k kind, calls []*call) error {
	// Two calls have the same key when it was changed while the first was in flight.
	keys, records := make([]string, 0, len(calls)), make(map[string]*entry, len(calls))
	for _, c := range calls {
		if _, known := records[c.key.text]; !known {
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
	list, err := m.config.Client.GetIdentities(ctx, &params, globusauth.WithoutRetryOn(http.StatusTooManyRequests))
	if err != nil {
		return err
	}
	nameless, err := match(k, records, list)
	if err != nil {
		return err
	}
	for _, c := range calls {
		switch c.found = records[c.key.text]; {
		case c.found != nil:
		case nameless == 0:
			c.found = &entry{missing: true}
		default: // the key may belong to one of those
			err = fmt.Errorf("%d of %d identities came without their ID or username; a token with the scope view_identities sees them", nameless, len(list.Identities))
		}
	}
	return err
}

// match puts the record of each key into records. Others are dropped. It returns
// how many records cannot be matched.
func match(k kind, records map[string]*entry, list *gen.IdentityList) (nameless int, err error) {
	if list.Identities == nil {
		// Not an empty list: it does not say that identities are missing.
		return 0, fmt.Errorf("GetIdentities: %w: it has no list of identities", globusauth.ErrMalformedResponse)
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
			records[lower(text)] = &entry{identity: *who}
		}
	}
	return nameless, nil
}
