package authtest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/gen/groups"
	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// groupRoutes adds the operations of Globus Groups that resource servers call, at the
// same address as Globus Auth. Users have the role "member".
func (s *Server) groupRoutes(mux *http.ServeMux) {
	mux.Handle("GET /v2/groups/my_groups", s.surround("getMyGroups", func(w http.ResponseWriter, r *http.Request) {
		s.engine.writeGroups(w, r, func(mine []groups.Group) (any, error) { return mine, nil })
	}))
	mux.Handle("GET /v2/groups/{group_id}", s.surround("getGroup", func(w http.ResponseWriter, r *http.Request) {
		s.engine.writeGroups(w, r, func(mine []groups.Group) (any, error) {
			i := slices.IndexFunc(mine, func(g groups.Group) bool { return strings.EqualFold(g.ID, r.PathValue("group_id")) })
			if i < 0 {
				return nil, notFound("There is no group " + r.PathValue("group_id") + " that the caller may see")
			}
			return mine[i], nil
		})
	}))
}

func (e *engine) writeGroups(w http.ResponseWriter, r *http.Request, document func(mine []groups.Group) (any, error)) {
	mine, err := e.groupsOf(callFrom(r.Context()))
	var body any
	if err == nil {
		body, err = document(mine)
	}
	if err == nil {
		err = server.JSON(body)(w)
	}
	if err != nil {
		e.writeProblem(w, r, err)
	}
}

// groupsOf returns the groups of the identities linked to the caller's.
func (e *engine) groupsOf(c *call) ([]groups.Group, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	token := e.liveToken(c.bearerToken())
	if token == nil || token.server != scopes.GroupsResourceServer {
		return nil, unauthorized("The access token is missing, unknown, expired, revoked, or not for " + scopes.GroupsResourceServer)
	}
	if !token.has(scopes.GroupsViewMyGroups) && !token.has(scopes.GroupsAll) {
		return nil, forbidden("The access token lacks the scope " + string(scopes.GroupsViewMyGroups))
	}
	mine := []groups.Group{}
	for found := range e.groups.all() {
		var memberships []groups.Membership
		for _, i := range token.identity.identitySet() {
			if slices.Contains(found.Members, i.ID) {
				memberships = append(memberships, groups.Membership{GroupID: found.ID, IdentityID: i.ID, Username: i.Username, Role: "member", Status: "active"})
			}
		}
		if memberships != nil {
			mine = append(mine, groups.Group{ID: found.ID, Name: found.Name, Description: found.Description, GroupType: "regular", MyMemberships: memberships})
		}
	}
	return mine, nil
}
