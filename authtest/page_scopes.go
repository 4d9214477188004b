package authtest

import (
	"slices"
	"strconv"
)

// scopeView is a scope on the consent page, with what goes with it.
type scopeView struct {
	Path        string // of numbers from the root down; names the check box
	Name        string
	Description string
	Text        string
	Optional    bool
	Refresh     bool // its resource server may get a refresh token
	Needs       []scopeView
}

// scopeTree shows the requested scopes.
func scopeTree(list []requested, above string) []scopeView {
	views := make([]scopeView, 0, len(list))
	for n, r := range list {
		view := scopeView{
			Path: above + strconv.Itoa(n), Name: r.scope.name, Text: r.scope.text, Optional: r.optional, Refresh: r.refresh,
		}
		if view.Name == "" {
			view.Name = r.scope.text
		}
		if description := r.scope.description; description != view.Name && description != view.Name+"." {
			view.Description = description
		}
		view.Needs = scopeTree(r.needs, view.Path+".")
		views = append(views, view)
	}
	return views
}

// chosen leaves out the optional scopes whose paths were not ticked.
func chosen(list []requested, above string, ticked []string) []requested {
	var kept []requested
	for n, r := range list {
		path := above + strconv.Itoa(n)
		if r.optional && !slices.Contains(ticked, path) {
			continue
		}
		r.needs = chosen(r.needs, path+".", ticked)
		kept = append(kept, r)
	}
	return kept
}
