package authtest

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
)

// document describes the credential. The secret is shown once, when it is made.
func (c *credential) document(secret bool) server.ClientCredential {
	document := server.ClientCredential{
		ID: c.ID, Name: c.Name, Client: c.client.ID, Created: timestamp(c.Created), Secret: nullable.NewNullNullable[string](),
	}
	if secret {
		document.Secret.Set(c.Secret)
	}
	return document
}

// credentialsOf looks up a client whose credentials the caller may manage.
func (e *engine) credentialsOf(ctx context.Context, id string, change bool) (*client, error) {
	caller, err := e.developer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.findClient(caller, id)
	if err != nil {
		return nil, err
	}
	if change {
		return found, e.mayChangeClient(caller, found)
	}
	return found, e.mayRead(caller, e.projectOf(found))
}

// GetClientCredentials lists a client's credentials without their secrets.
func (a api) GetClientCredentials(ctx context.Context, request server.GetClientCredentialsRequestObject) (server.GetClientCredentialsResponseObject, error) {
	found, err := a.credentialsOf(ctx, request.ClientID, false)
	if err != nil {
		return nil, err
	}
	return server.ClientCredentialList{
		Credentials: documents(slices.Values(found.credentials), nil, func(c *credential) server.ClientCredential { return c.document(false) }),
	}, nil
}

// CreateClientCredential makes a secret.
func (a api) CreateClientCredential(ctx context.Context, request server.CreateClientCredentialRequestObject) (server.CreateClientCredentialResponseObject, error) {
	found, err := a.credentialsOf(ctx, request.ClientID, true)
	if err != nil {
		return nil, err
	}
	switch {
	case found.public():
		return nil, badRequest("A client of the type " + found.Type + " has no credentials")
	case request.Body.Credential.Name == "":
		return nil, badRequest("name is required")
	}
	added := a.addCredential(found, request.Body.Credential.Name)
	return server.ClientCredentialResponse{Credential: added.document(true)}, nil
}

// DeleteClientCredential deletes a secret. Tokens that were issued with it become invalid.
func (a api) DeleteClientCredential(ctx context.Context, request server.DeleteClientCredentialRequestObject) (server.DeleteClientCredentialResponseObject, error) {
	found, err := a.credentialsOf(ctx, request.ClientID, true)
	if err != nil {
		return nil, err
	}
	for n, each := range found.credentials {
		if each.ID == strings.ToLower(request.CredentialID) {
			each.deleted = true
			found.credentials = slices.Delete(slices.Clone(found.credentials), n, n+1)
			a.changed()
			return server.ClientCredentialResponse{Credential: each.document(false)}, nil
		}
	}
	return nil, notFound("The client has no credential with the ID " + request.CredentialID)
}

var fqdnPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$`)
})

// AddClientFQDN gives a client a host name. The service checks the owner of the
// name; the test double does not.
func (a api) AddClientFQDN(ctx context.Context, request server.AddClientFQDNRequestObject) (server.AddClientFQDNResponseObject, error) {
	found, err := a.changeable(ctx, request.ClientID)
	if err != nil {
		return nil, err
	}
	fqdn := strings.ToLower(request.Body.FQDN)
	if !fqdnPattern().MatchString(fqdn) || len(fqdn) > 253 {
		return nil, badRequest("'" + request.Body.FQDN + "' is not a fully qualified domain name")
	}
	switch a.fqdns[fqdn] {
	case nil:
		a.giveFQDN(found, fqdn)
	case found:
	default:
		return nil, conflict("The host name " + fqdn + " belongs to another client")
	}
	return server.AddClientFQDNResponse{"fqdn": map[string]any{"fqdn": fqdn}}, nil
}
