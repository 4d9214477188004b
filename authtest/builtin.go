package authtest

import (
	"bytes"
	_ "embed"
	"slices"
	"sync"
)

// Entries of the built-in world that have a meaning to the server.
const (
	clientProviderID = "3a74877b-e2a3-44b1-8958-ede1031b1827"
	commandLineID    = "95fdeba8-fac2-42bd-a357-e068d82ff78e" // of Globus' own command-line client
	collectionID     = "c0000000-0000-4000-8000-000000000001"
)

//go:embed world.yaml
var builtinText []byte

// builtin is parsed once per process. An engine copies what it changes.
var builtin = sync.OnceValue(DefaultWorld)

// DefaultWorld returns the built-in world, a new value each time:
//
//   - the resource servers Globus Auth, Transfer, Groups, Search, Flows, Timers,
//     Compute and Nexus with their well-known scopes, one collection, and the
//     scopes of any other collection, endpoint or flow; the template of Globus'
//     own command-line client;
//   - the identity providers Example University (example.edu) and Globus ID
//     (globusid.org);
//   - alice@example.edu with the linked identity alice@globusid.org,
//     bob@example.edu and carol@globusid.org;
//   - a native client; a confidential client with a secret, the redirect URI
//     http://127.0.0.1:8000/callback, the host name portal.example.edu and a scope
//     that depends on Transfer's "all" and Groups'
//     "view_my_groups_and_memberships"; a native client that is a template;
//   - a project administered by alice, to which these clients belong, and a
//     high-assurance policy in it with a timeout of an hour.
//
// [Server.Ready] has the IDs and secrets.
func DefaultWorld() World {
	world, err := ReadWorld(bytes.NewReader(builtinText))
	if err != nil {
		panic(err) // the file is part of the program
	}
	return world
}

// withServices adds what is in every world: the resource servers of Globus, its
// command-line client, and the provider of the identities of clients.
func (w World) withServices() World {
	providers := slices.DeleteFunc(slices.Clone(builtin().Providers), func(known Provider) bool {
		return known.ID != clientProviderID || slices.ContainsFunc(w.Providers, func(p Provider) bool { return p.ID == known.ID })
	})
	clients := slices.DeleteFunc(slices.Clone(builtin().Clients), func(known Client) bool {
		return known.Project != "" || slices.ContainsFunc(w.Clients, func(c Client) bool { return c.ID == known.ID })
	})
	w.Providers, w.Clients = append(providers, w.Providers...), append(clients, w.Clients...)
	return w
}
