package scopes

import (
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/internal/uuid"
)

// CollectionDataAccess returns the scope to reach the data of a mapped
// collection. It is a dependency, as a rule an optional one:
//
//	scopes.TransferAll.With(scopes.CollectionDataAccess(id).Optional())
//
// As with all functions here, an ID that is not a UUID gives a scope that
// [List.Validate] refuses, and the case of one that is does not matter.
func CollectionDataAccess(collectionID string) Scope {
	return Scope(urlPrefix + safeID(collectionID) + "/data_access")
}

// CollectionHTTPS returns the scope for HTTPS access to a collection.
func CollectionHTTPS(collectionID string) Scope {
	return Scope(urlPrefix + safeID(collectionID) + "/https")
}

// EndpointManageCollections returns the scope to manage the collections of a
// Globus Connect Server endpoint.
func EndpointManageCollections(endpointID string) Scope {
	return Scope(urnPrefix + safeID(endpointID) + ":manage_collections")
}

// FlowUser returns the scope to run one flow.
func FlowUser(flowID string) Scope {
	id := safeID(flowID)
	return Scope(urlPrefix + id + "/flow_" + strings.ReplaceAll(id, "-", "_") + "_user")
}

// safeID returns a UUID in lower case, as Globus writes it: the names of scopes
// are compared exactly. Anything else is quoted: an ID from outside can then
// neither add a scope nor pass validation.
func safeID(id string) string {
	if uuid.Valid(id) {
		return strings.ToLower(id)
	}
	return quoted(id)
}

// quoted escapes text and puts it in quotes, which no scope name may hold.
func quoted(text string) string { return `"` + url.PathEscape(text) + `"` }
