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

// ask asks the service about calls of one kind; if it refuses them with 400, about their halves,
// so that only the bad keys fail. It sets the result or the error of each call.
func (m *Map) ask(ctx context.Context, calls []*call) {
	credit := splits
	var ask func(part []*call)
	ask = func(part []*call) {
		pause := maxPause
		if len(part) < len(calls) {
			pause = 0 // meanwhile
		}
		err := m.refused(pause)
		if err == nil {
			err = m.askOnce(ctx, part)
			if rateLimited(err) {
				m.refuse(err, part[0].refusals)
			}
		}
		switch {
		case err == nil:
			m.succeed()
			credit++
		case len(part) > 1 && credit > 0 && errors.Is(err, apierror.ErrBadRequest):
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

// askOnce sends one request and sets what it found for each call. An error is about
// those for which nothing is set.
func (m *Map) askOnce(ctx context.Context, calls []*call) error {
	// Two calls have the same key when it was changed while the first was in flight.
	keys, records := make([]string, 0, len(calls)), make(map[string]*entry, len(calls))
	for _, c := range calls {
		if _, known := records[c.key.text]; !known {
			records[c.key.text] = nil
			keys = append(keys, c.key.text)
		}
	}
	kind, params := calls[0].key.kind, gen.GetIdentitiesParams{}
	if kind == username {
		params.Usernames, params.Provision = keys, m.config.Provision
	} else {
		params.IDs = keys
	}
	list, err := m.config.Client.GetIdentities(ctx, &params, globusauth.WithoutRetryOn(http.StatusTooManyRequests))
	if err != nil {
		return err
	}
	if list.Identities == nil {
		// Not an empty list: it does not say that identities are missing.
		return fmt.Errorf("GetIdentities: %w: it has no list of identities", globusauth.ErrMalformedResponse)
	}
	nameless := 0 // records that may belong to any key
	for i := range list.Identities {
		who := &list.Identities[i]
		text := who.ID
		if kind == username {
			text = who.Username
		}
		if who.ID == "" || text == "" {
			nameless++
		} else if e, asked := records[lower(text)]; asked && e == nil {
			records[lower(text)] = &entry{Identity: *who, Until: m.expiry(false)}
		}
	}
	for _, c := range calls {
		switch c.found = records[c.key.text]; {
		case c.found != nil:
		case nameless == 0:
			c.found = &entry{Missing: true, Until: m.expiry(true)}
		default:
			err = fmt.Errorf("%d of %d identities came without their ID or username; a token with the scope view_identities sees them", nameless, len(list.Identities))
		}
	}
	return err
}
