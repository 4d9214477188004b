package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
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

// maxScope is how long the scope of a token may be, in bytes. Its list takes eight
// times as much memory.
const maxScope = 1 << 20

// Introspection is what the service says of an access token (RFC 7662, with
// Globus Auth's additions). If Active is false, everything else is empty.
type Introspection struct {
	gen.Introspection
}

// Scopes returns the scopes of the token as a list of its own.
func (i Introspection) Scopes() scopes.List { return scopes.Of(strings.Fields(i.Scope)...) }

// HasScope reports whether the token is active and has the scope. Only its name
// counts: a token does not list dependencies.
func (i Introspection) HasScope(scope scopes.Scope) bool {
	return i.Active && slices.Contains(strings.Fields(i.Scope), scope.Name())
}

// Introspect asks what an access token is for. The client must be one that the
// token is for. A token that is expired, revoked, unknown or meant for others is
// not an error: its Introspection is not Active.
func (c Config) Introspect(ctx context.Context, token string, options IntrospectOptions, opts ...globusauth.CallOption) (_ *Introspection, err error) {
	defer operation(&err, "introspect token")
	self, err := c.confidential()
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, errors.New("the token is empty")
	}
	form := gen.IntrospectRequest{Token: token}
	var include []string
	for _, part := range []struct {
		name   string
		wanted bool
	}{
		{"identity_set", options.IdentitySet},
		{"identity_set_detail", options.IdentitySetDetail},
		{"session_info", options.SessionInfo},
	} {
		if part.wanted {
			include = append(include, part.name)
		}
	}
	form.Include = strings.Join(include, ",")
	for i, id := range options.Policies {
		if id == "" || strings.Contains(id, ",") {
			return nil, fmt.Errorf("the ID Policies[%d] is empty or holds a comma", i)
		}
	}
	form.AuthenticationPolicies = strings.Join(options.Policies, ",")
	answer, err := self.auth.Introspect(ctx, form, opts...)
	if err != nil {
		return nil, err
	}
	if len(answer.Scope) > maxScope {
		return nil, fmt.Errorf("the response has a scope of more than %d bytes", maxScope)
	}
	if !answer.Active {
		// Nobody should act on what comes beside it.
		return &Introspection{}, nil
	}
	return &Introspection{*answer}, nil
}
