package resourceserver

// Cached returns how many introspections are cached.
func (a *API) Cached() int {
	a.callers.CleanUp()
	return a.callers.EstimatedSize()
}

// CachedGroups is the number of callers whose groups are cached.
func (a *API) CachedGroups() int {
	a.groups.CleanUp()
	return a.groups.EstimatedSize()
}
