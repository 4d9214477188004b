package resourceserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen/groups"
	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

const (
	groupsTime       = 5 * time.Minute
	maxGroupsBytes   = 8 << 20  // of the response
	maxGroupBytes    = 64 << 10 // of one group, so that tiny values in it take little memory
	groupsTokenScope = scopes.GroupsViewMyGroups
)

// membership is the cached groups of a caller.
type membership struct {
	groups []groups.Group
	size   int // in bytes, about
	until  time.Time
}

// groupsWeight is how many kB the groups of a caller may take on average.
const groupsWeight = 4

func weigh(_ tokenKey, m *membership) uint32 { return uint32(1 + m.size>>10) } //nolint:gosec // At most maxGroupsBytes.

// groupsURL is the base URL of Globus Groups: at a custom address of Globus Auth, such
// as that of a test double, the same.
func groupsURL(auth *globusauth.Client) (*url.URL, error) {
	base := auth.BaseURL()
	if auth.Address() == "" {
		hosts, err := environment.Hosts(auth.Environment(), scopes.GroupsResourceServer)
		if err != nil || len(hosts) == 0 {
			return nil, fmt.Errorf("no address of Globus Groups is known: %w", err)
		}
		base = "https://" + hosts[0] + "/"
	}
	return url.Parse(base)
}

// Groups returns the groups in which the caller, or one of its linked identities, is an
// active member. It calls Globus Groups with a dependent token (scope
// view_my_groups_and_memberships), at most every 5 minutes for a token. The
// errors are those of [CallerInfo.Token], and a [*DeniedError] with status 503 if
// Globus Groups does not respond. Do not change the slice.
func (c *CallerInfo) Groups(ctx context.Context) ([]groups.Group, error) {
	a := c.api
	cached := func() (*membership, bool) {
		found, ok := a.groups.GetIfPresent(c.key)
		return found, ok && a.now().Before(found.until)
	}
	if found, ok := cached(); ok {
		return found.groups, nil
	}
	token, err := c.Token(ctx, groupsTokenScope)
	if err != nil {
		return nil, err
	}
	return once(ctx, a, fmt.Sprintf("groups/%x", c.key), func(ctx context.Context) ([]groups.Group, error) {
		if found, ok := cached(); ok {
			return found.groups, nil
		}
		found, err := c.fetchGroups(ctx, token)
		if err != nil {
			return nil, err
		}
		found.until = a.now().Add(groupsTime)
		a.groups.Set(c.key, found)
		return found.groups, nil
	})
}

func (c *CallerInfo) fetchGroups(ctx context.Context, token tokens.Token) (*membership, error) {
	client, err := flows.HTTPClient(c.api.config.OAuth.Auth, tokens.TransportConfig{
		Source: tokens.Static(token), Hosts: []string{origin.HostPort(c.api.groupsURL)},
	})
	if err != nil {
		return nil, err
	}
	raw := groups.Client{BaseURL: c.api.groupsURL.String(), Doer: client}
	response, err := raw.GetMyGroups(ctx)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing was written.
	var body bytes.Buffer
	_, err = body.ReadFrom(io.LimitReader(response.Body, maxGroupsBytes+1))
	switch {
	case err != nil:
		return nil, err
	case body.Len() > maxGroupsBytes:
		return nil, fmt.Errorf("the response of Globus Groups is larger than %d bytes", maxGroupsBytes)
	case response.StatusCode != http.StatusOK:
		return nil, apierror.FromResponse("get my groups", response.StatusCode, response.Header, body.Bytes(), token.AccessToken, c.token)
	}
	return c.activeGroups(body.Bytes())
}

// activeGroups reads one group at a time: a list of millions of tiny values takes no memory.
func (c *CallerInfo) activeGroups(body []byte) (*membership, error) {
	active := &membership{}
	malformed := errors.New("the response of Globus Groups is not a list of groups")
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, malformed
	}
	for decoder.More() {
		var raw json.RawMessage
		var group groups.Group
		if decoder.Decode(&raw) != nil || len(raw) > maxGroupBytes || json.Unmarshal(raw, &group) != nil {
			return nil, malformed
		}
		if slices.ContainsFunc(group.MyMemberships, func(m groups.Membership) bool { return m.Status == "active" && c.Is(m.IdentityID) }) {
			active.groups = append(active.groups, group)
			active.size += len(raw)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed
	}
	return active, nil
}
