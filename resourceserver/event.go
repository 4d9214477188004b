package resourceserver

// Event is something to count. It names no caller.
type Event struct {
	Kind EventKind
	// Status and Rule are those of the response, for EventDenial.
	Status int
	Rule   string
}

// EventKind says what happened.
type EventKind string

// The kinds of events: a request used a cached introspection, an introspection was sent, a
// request was denied.
const (
	EventCacheHit      EventKind = "cache_hit"
	EventIntrospection EventKind = "introspection"
	EventDenial        EventKind = "denial"
)
