package resourceserver

// Cached returns how many introspections are cached.
func (a *API) Cached() int {
	a.callers.CleanUp()
	return a.callers.EstimatedSize()
}
