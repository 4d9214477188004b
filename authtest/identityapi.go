package authtest

import (
	"context"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/internal/uuid"
	"github.com/globusauth/globusauth/scopes"
)

// api implements the operations of the spec, each under the lock of the engine (see locked).
type api struct{ *engine }

var _ server.StrictServerInterface = api{}

// checkUUIDs refuses anything that is not the text of a UUID.
func checkUUIDs(name string, values []string) error {
	for _, value := range values {
		if !uuid.Valid(value) {
			return badRequest("'" + value + "' in " + name + " is not a UUID")
		}
	}
	return nil
}

// GetIdentities looks identities up by ID or username.
func (a api) GetIdentities(ctx context.Context, request server.GetIdentitiesRequestObject) (server.GetIdentitiesResponseObject, error) {
	params := request.Params
	caller, err := a.authenticated(callFrom(ctx))
	if err != nil {
		return nil, err
	}
	if (len(params.IDs) > 0) == (len(params.Usernames) > 0) {
		return nil, badRequest("Exactly one of 'ids' and 'usernames' is required")
	}
	if err := checkUUIDs("ids", params.IDs); err != nil {
		return nil, err
	}
	var found []*identity
	seen := map[*identity]bool{}
	add := func(i *identity) {
		if i != nil && !seen[i] {
			seen[i] = true
			found = append(found, i)
		}
	}
	for _, id := range params.IDs {
		add(a.identities[strings.ToLower(id)])
	}
	for _, username := range params.Usernames {
		if name, domain, at := strings.Cut(username, "@"); !at || name == "" || domain == "" {
			return nil, badRequest("'" + username + "' in usernames has no domain")
		}
	}
	for _, username := range params.Usernames {
		i := a.usernames[strings.ToLower(username)]
		if i == nil && params.Provision {
			i = a.provision(username)
		}
		add(i)
	}
	describe := func(i *identity) server.Identity { return i.document(caller.seesInFull(i)) }
	return server.IdentityList{Identities: documents(slices.Values(found), nil, describe), Included: included(params.Include, found)}, nil
}

// seesInFull reports whether the caller may see all of an identity: with the
// scope view_identities, and users their own.
func (p principal) seesInFull(i *identity) bool {
	return p.has(scopes.AuthViewIdentities) || p.identity.linkedWith(i)
}

// included returns the providers of identities, each once, for a request that
// includes them.
func included(include []server.IdentityInclude, found []*identity) server.IdentityIncluded {
	if !slices.Contains(include, server.IdentityIncludeIdentityProvider) {
		return server.IdentityIncluded{}
	}
	return server.IdentityIncluded{IdentityProviders: providerDocuments(documents(slices.Values(found), nil, func(i *identity) *Provider { return i.provider }))}
}

// providerDocuments describes providers, each once, and skips nil.
func providerDocuments(list []*Provider) []server.IdentityProvider {
	return documents(slices.Values(list), once[Provider](), (*Provider).document)
}

// once is a condition that holds for the first occurrence of each record.
func once[T any]() func(*T) bool {
	seen := map[*T]bool{nil: true}
	return func(record *T) bool {
		defer func() { seen[record] = true }()
		return !seen[record]
	}
}

// GetIdentity reads one identity.
func (a api) GetIdentity(ctx context.Context, request server.GetIdentityRequestObject) (server.GetIdentityResponseObject, error) {
	caller, err := a.authenticated(callFrom(ctx))
	if err != nil {
		return nil, err
	}
	i := a.identities[strings.ToLower(request.IdentityID)]
	if i == nil {
		return nil, notFound("No identity has the ID " + request.IdentityID)
	}
	return server.IdentityResponse{
		Identity: i.document(caller.seesInFull(i)), Included: included(request.Params.Include, []*identity{i}),
	}, nil
}

// GetIdentityProviders looks identity providers up by ID or domain.
func (a api) GetIdentityProviders(ctx context.Context, request server.GetIdentityProvidersRequestObject) (server.GetIdentityProvidersResponseObject, error) {
	params := request.Params
	if _, err := a.authenticated(callFrom(ctx)); err != nil {
		return nil, err
	}
	if (len(params.IDs) > 0) == (len(params.Domains) > 0) {
		return nil, badRequest("Exactly one of 'ids' and 'domains' is required")
	}
	if err := checkUUIDs("ids", params.IDs); err != nil {
		return nil, err
	}
	var found []*Provider
	for _, id := range params.IDs {
		found = append(found, a.providers.get(id))
	}
	for _, domain := range params.Domains {
		found = append(found, a.domains[strings.ToLower(domain)])
	}
	return server.IdentityProviderList{IdentityProviders: providerDocuments(found)}, nil
}
