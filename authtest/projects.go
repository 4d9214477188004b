package authtest

// project groups clients and policies under administrators.
type project struct {
	id, name, contactEmail  string
	adminIDs, adminGroupIDs []string
	adminPolicy             string // ID that stands for "an administrator signed in recently"
	deleted                 bool
}

// projectByAdminPolicy returns the project of a built-in policy, or nil.
func (e *engine) projectByAdminPolicy(id string) *project {
	for _, p := range e.projects {
		if p.adminPolicy == id {
			return p
		}
	}
	return nil
}
