package flows

import (
	"context"
	"errors"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
)

// IntrospectOptions says what an introspection adds to its response.
type IntrospectOptions struct {
	// IdentitySet adds the IDs of all linked identities.
	IdentitySet bool
	// IdentitySetDetail adds the linked identities themselves.
	IdentitySetDetail bool
	// SessionInfo adds the session, with its authentications.
	SessionInfo bool
	// Policies are the IDs of authentication policies to evaluate for the token.
	Policies []string
}

// Introspect asks what an access token is for. The client must be one that the
// token is for. A token that is expired, revoked, unknown or meant for others is
// not an error: the response is not Active, and everything else in it is empty.
func (c Config) Introspect(ctx context.Context, token string, options IntrospectOptions, opts ...globusauth.CallOption) (_ *gen.Introspection, err error) {
	defer prefix.Add(&err, "flows: introspect token")
	self, err := c.confidential()
	if err == nil && token == "" {
		err = errors.New("the token is empty")
	}
	if err != nil {
		return nil, err
	}
	var include []string
	if options.IdentitySet {
		include = append(include, "identity_set")
	}
	if options.IdentitySetDetail {
		include = append(include, "identity_set_detail")
	}
	if options.SessionInfo {
		include = append(include, "session_info")
	}
	response, err := self.auth.Introspect(ctx, gen.IntrospectRequest{
		Token: token, Include: strings.Join(include, ","), AuthenticationPolicies: strings.Join(options.Policies, ","),
	}, opts...)
	if err != nil {
		return nil, err
	}
	if !response.Active {
		return &gen.Introspection{}, nil // the rest must not be acted on
	}
	return response, nil
}
