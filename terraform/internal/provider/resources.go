package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// kinds are the resources.
func kinds() []*kind {
	return []*kind{project(), client(), clientInstance(), clientCredential(), clientFQDN(), scope(), policy()}
}

func project() *kind {
	return &kind{
		name: "project", create: "ProjectCreate", update: "ProjectUpdate", record: "Project", envelope: "project",
		about: "A project: it holds clients and policies, and its administrators manage them. The caller is an administrator only if the lists name it.\n\n" +
			"The service refuses to delete a project that still has clients or policies.",
		omit: []string{"admins", "project_name"},
		calls: calls{
			create: creates("project", (*globusauth.Client).CreateProject), read: reads("project", (*globusauth.Client).GetProject),
			update: updates("project", "id", (*globusauth.Client).UpdateProject), delete: deletes((*globusauth.Client).DeleteProject),
		},
		held: projectHolds,
		check: func(config values, report report) {
			if empty(config, "admin_ids") && empty(config, "admin_group_ids") {
				report("admin_ids", "At least one of admin_ids and admin_group_ids must have an entry.")
			}
		},
	}
}

// empty reports whether a list is left out or known to have no entry.
func empty(config values, name string) bool {
	list, _ := encode(config[name]).([]any)
	return config[name].IsKnown() && len(list) == 0
}

func projectHolds(ctx context.Context, auth *globusauth.Client, known document) ([]string, error) {
	clients, err := auth.GetClients(ctx, &gen.GetClientsParams{ProjectID: known.text("id")})
	if err != nil {
		return nil, err
	}
	var list []string
	for _, c := range clients.Clients {
		list = append(list, "client "+c.Name+" ("+c.ID+")")
	}
	policies, err := auth.GetPolicies(ctx)
	if err != nil {
		return list, err
	}
	for _, p := range policies.Policies {
		if p.ProjectID == known.text("id") {
			list = append(list, "policy "+p.DisplayName+" ("+p.ID+")")
		}
	}
	return list, nil
}

func client() *kind {
	return &kind{
		name: "client", create: "ClientCreate", update: "ClientUpdate", record: "ClientRecord", envelope: "client",
		about: "A client: an application or a resource server, in a project. Without `project` it is a child of the client whose `client_id` and `client_secret` " +
			"the provider has.\n\nDeleting a client also deletes its credentials, scopes and host names.",
		omit: []string{"template_id", "scopes", "fqdns"}, nullable: []string{"project"},
		calls: calls{
			create: creates("client", (*globusauth.Client).CreateClient), read: reads("client", (*globusauth.Client).GetClient),
			update: updates("client", "id", (*globusauth.Client).UpdateClient), delete: deletes((*globusauth.Client).DeleteClient),
		},
		clients: func(c *connection, known document) ([]*globusauth.Client, error) {
			_, planned := known["project"]
			switch {
			case known.text("project") != "" || !planned: // unknown until the project exists
				return []*globusauth.Client{c.auth}, nil
			case known.text("id") == "" && c.basic == nil:
				return nil, &attributeError{"project", "A client needs a project, unless the provider has a client_id and client_secret: then it is a child of that client."}
			case known.text("id") == "":
				return []*globusauth.Client{c.basic}, nil
			}
			return c.either(), nil // a child, or one that is being imported
		},
		held: clientHolds, cascades: true,
		check: func(config values, report report) {
			if config.given("public_client") == config.given("client_type") {
				report("client_type", "Exactly one of client_type and public_client must be set.")
			}
		},
	}
}

func clientHolds(ctx context.Context, auth *globusauth.Client, known document) ([]string, error) {
	found, err := auth.GetClient(ctx, known.text("id"))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, fqdn := range found.Client.FQDNs {
		list = append(list, "host name "+fqdn)
	}
	if len(found.Client.Scopes) > 0 {
		owned, err := auth.GetScopes(ctx, &gen.GetScopesParams{IDs: found.Client.Scopes})
		if err != nil {
			return list, err
		}
		for _, s := range owned.Scopes {
			list = append(list, "scope "+s.ScopeString)
		}
	}
	credentials, err := auth.GetClientCredentials(ctx, known.text("id"))
	if err != nil {
		return list, err
	}
	for _, c := range credentials.Credentials {
		list = append(list, "credential "+c.Name+" ("+c.ID+")")
	}
	return list, nil
}

func clientInstance() *kind {
	return &kind{
		name: "client_instance", parents: []string{"template_id"}, update: "ClientUpdate", record: "ClientRecord", envelope: "client",
		about: "An instance of a template client: a confidential client of its own, with one credential, which any program with the template's ID can create. " +
			"It belongs to no project. The resource reads, changes and deletes it with the secret that is in the state.\n\n" +
			"An imported instance has no secret in the state: use a provider that has the `client_id` and `client_secret` of the instance.",
		omit: []string{"scopes", "fqdns", "project", "links", "preselect_idp", "redirect_uris", "required_idp", "visibility"},
		extra: []spec.Field{
			{Name: "name", Type: "string", Required: true, Description: "Name, shown on consent pages."},
			{Name: "credential_id", Type: "string", Description: "ID of the credential."},
			{Name: "secret", Type: "string", Format: "password", Description: "Secret of the credential. It is in the state: protect that."},
		},
		calls: calls{
			create: createInstance, read: reads("client", (*globusauth.Client).GetClient),
			update: updates("client", "id", (*globusauth.Client).UpdateClient), delete: deletes((*globusauth.Client).DeleteClient),
		},
		clients: func(c *connection, known document) ([]*globusauth.Client, error) {
			switch {
			case known.text("id") == "":
				return []*globusauth.Client{c.auth.WithCredentials(nil)}, nil // it needs none
			case known.text("secret") == "":
				return c.either(), nil // imported
			}
			// The secret of a deleted instance is refused; any other caller is told that the instance does not exist.
			return []*globusauth.Client{c.auth.WithCredentials(globusauth.Basic(known.text("id"), known.text("secret"))), c.auth}, nil
		},
	}
}

// createInstance makes the instance and then reads it: the response to the creation has two forms.
func createInstance(ctx context.Context, auth *globusauth.Client, known document, _ []byte) (document, error) {
	made, err := auth.CreateClient(ctx, gen.CreateClientBody{Client: gen.ClientCreate{TemplateID: known.text("template_id"), Name: known.text("name")}})
	if err != nil {
		return nil, err
	}
	credential := made.Included.ClientCredential
	auth = auth.WithCredentials(globusauth.Basic(made.Client.ID, credential.Secret))
	read, err := receive("client", func(response option) error {
		_, err := auth.GetClient(ctx, made.Client.ID, response)
		return err
	})
	if err != nil {
		read = document{} // the next read has the rest; the secret must not be lost
	}
	read["id"], read["secret"], read["credential_id"] = made.Client.ID, credential.Secret, credential.ID
	return read, nil
}

func clientCredential() *kind {
	return &kind{
		name: "client_credential", create: "ClientCredentialCreate", record: "ClientCredential", envelope: "credential", parents: []string{"client"},
		about: "A credential of a client. Its secret is in the state: protect that, or use the ephemeral resource of the same name, whose secret is in no state.\n\n" +
			"To replace a secret without an interruption, set `create_before_destroy` in its `lifecycle`. An imported credential has no secret: the service shows it once.",
		calls: calls{
			create: updates("credential", "client", (*globusauth.Client).CreateClientCredential),
			read: func(ctx context.Context, auth *globusauth.Client, known document) (document, error) {
				list, err := receive("", func(response option) error {
					_, err := auth.GetClientCredentials(ctx, known.text("client"), response)
					return err
				})
				if err != nil {
					return nil, err
				}
				entries, _ := list["credentials"].([]any)
				for _, entry := range entries {
					if found, ok := entry.(map[string]any); ok && found["id"] == known["id"] {
						return found, nil
					}
				}
				return nil, errGone
			},
			delete: func(ctx context.Context, auth *globusauth.Client, known document) error {
				_, err := auth.DeleteClientCredential(ctx, known.text("client"), known.text("id"))
				return err
			},
		},
	}
}

// errGone is an object that a list lacks.
var errGone = errors.New("the object no longer exists")

func clientFQDN() *kind {
	return &kind{
		name: "client_fqdn", create: "AddClientFQDNBody", parents: []string{"client"},
		extra: []spec.Field{{Name: "id", Type: "string", Description: "Client ID and host name, with a slash between them."}},
		about: "A host name of a client. The service checks that the client's owner controls it, presumably by a DNS record. A scope that is created later has a scope string for each " +
			"host name.\n\nThe service has no operation that removes a host name: destroying this resource only forgets it.",
		kept: "The service has no operation that removes a host name from a client; it is removed from the state alone.",
		calls: calls{
			create: func(ctx context.Context, auth *globusauth.Client, known document, _ []byte) (document, error) {
				name := known.text("fqdn")
				_, err := auth.AddClientFQDN(ctx, known.text("client"), gen.AddClientFQDNBody{FQDN: name})
				return document{"id": known.text("client") + "/" + name}, err
			},
			read: func(ctx context.Context, auth *globusauth.Client, known document) (document, error) {
				if known.text("fqdn") == "" { // imported
					known["fqdn"] = known["id"]
				}
				read, err := receive("client", func(response option) error {
					_, err := auth.GetClient(ctx, known.text("client"), response)
					return err
				})
				for _, name := range read.texts("fqdns") {
					if name == known.text("fqdn") {
						return document{"id": known.text("client") + "/" + name, "fqdn": name}, nil
					}
				}
				if err == nil {
					err = errGone
				}
				return nil, err
			},
		},
	}
}

func policy() *kind {
	return &kind{
		name: "policy", create: "PolicyCreate", update: "PolicyUpdate", record: "Policy", envelope: "policy",
		about: "An authentication policy of a project: a requirement on how users have signed in. Of its two forms, the high-assurance one (`high_assurance = true`) also limits the age of a login and can require a second factor.\n\n" +
			"For `domain_constraints_include` and `domain_constraints_exclude`, null is no constraint and differs from an empty set.",
		calls: calls{
			create: creates("policy", (*globusauth.Client).CreatePolicy), read: reads("policy", (*globusauth.Client).GetPolicy),
			update: updates("policy", "id", (*globusauth.Client).UpdatePolicy), delete: deletes((*globusauth.Client).DeletePolicy),
		},
		check: func(config values, report report) {
			mfa, _ := config.flag("required_mfa")
			if assured, known := config.flag("high_assurance"); mfa && known && !assured {
				report("required_mfa", "It can be true only with high_assurance = true.")
			}
		},
	}
}

func scope() *kind {
	return &kind{
		name: "scope", create: "ScopeCreate", update: "ScopeUpdate", record: "Scope", envelope: "scope", parents: []string{"client"},
		about: "A scope of a client. The service makes one for the client's ID and one for each host name that the client has then; this resource keeps them alike and deletes all of them.\n\n" +
			"Another `scope_suffix` changes the scope string that programs request. The service refuses to delete a scope on which another one depends.",
		extra: []spec.Field{
			{Name: "scope_ids", Type: "array", Items: &spec.Field{Type: "string"}, Description: "IDs of the scopes of all scope strings; `id` is that of the client's ID."},
		},
		derived: map[string]string{"scope_string": "scope_suffix"}, unique: "scope_suffix",
		calls: calls{create: createScope, read: readScope, update: updateScope, delete: deleteScope},
	}
}

func createScope(ctx context.Context, auth *globusauth.Client, known document, body []byte) (document, error) {
	response, err := updates("", "client", (*globusauth.Client).CreateScope)(ctx, auth, known, body)
	if err != nil {
		return nil, err
	}
	made, ok := response["scopes"].([]any)
	if !ok || len(made) == 0 {
		made = []any{response["scope"]} // the service returns one of the two, or both
	}
	return joinScopes(known.text("client"), made), nil
}

// joinScopes makes one document of the scopes of a suffix.
func joinScopes(client string, list []any) document {
	main, ids := document{}, []any{}
	for _, entry := range list {
		found, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		ids = append(ids, found["id"])
		text, _ := found["scope_string"].(string)
		if len(main) == 0 || suffixOf(text) != "" && authorityOf(text) == client {
			main = found
		}
	}
	if text := main.text("scope_string"); text != "" {
		main["scope_suffix"] = suffixOf(text)
	}
	main["scope_ids"] = ids
	return main
}

// readScope reads a scope. One that is imported is joined with those of the client's host names.
func readScope(ctx context.Context, auth *globusauth.Client, known document) (document, error) {
	read, err := reads("scope", (*globusauth.Client).GetScope)(ctx, auth, known)
	if err != nil {
		return nil, err
	}
	client, ids := read.text("client"), known.texts("scope_ids")
	if known["scope_ids"] == nil {
		owner, err := auth.GetClient(ctx, client)
		if err != nil {
			return nil, err
		}
		ids = owner.Client.Scopes
	}
	if len(ids) < 2 {
		return joinScopes(client, []any{map[string]any(read)}), nil
	}
	siblings, err := receive("", func(response option) error {
		_, err := auth.GetScopes(ctx, &gen.GetScopesParams{IDs: ids}, response)
		return err
	})
	if err != nil {
		return nil, err
	}
	same := []any{map[string]any(read)}
	entries, _ := siblings["scopes"].([]any)
	for _, entry := range entries {
		found, _ := entry.(map[string]any)
		text, _ := found["scope_string"].(string)
		if found["id"] != read["id"] && suffixOf(text) == suffixOf(read.text("scope_string")) {
			same = append(same, entry)
		}
	}
	return joinScopes(client, same), nil
}

func updateScope(ctx context.Context, auth *globusauth.Client, known document, body []byte) (document, error) {
	var updated []any
	for _, id := range scopeIDs(known) {
		response, err := updates("scope", "id", (*globusauth.Client).UpdateScope)(ctx, auth, document{"id": id}, body)
		if err != nil {
			return nil, fmt.Errorf("scope %s: %w", id, err)
		}
		updated = append(updated, map[string]any(response))
	}
	return joinScopes(known.text("client"), updated), nil
}

func deleteScope(ctx context.Context, auth *globusauth.Client, known document) error {
	for _, id := range scopeIDs(known) {
		if _, err := auth.DeleteScope(ctx, id); err != nil && !gone(err) {
			return fmt.Errorf("scope %s: %w", id, err)
		}
	}
	return nil
}

// scopeIDs returns the IDs of the scopes of a resource, its own last: until that is changed, the next plan
// has the change again if one of the others failed.
func scopeIDs(known document) []string {
	ids := slices.DeleteFunc(known.texts("scope_ids"), func(id string) bool { return id == known.text("id") })
	return append(ids, known.text("id"))
}

// suffixOf returns the last part of a scope string.
func suffixOf(text string) string { return text[strings.LastIndexAny(text, "/:")+1:] }

// authorityOf returns the client ID or host name in a scope string.
func authorityOf(text string) string {
	server, _ := scopes.Scope(text).ResourceServer()
	return server
}
