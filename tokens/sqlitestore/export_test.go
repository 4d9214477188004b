package sqlitestore

import "github.com/globusauth/globusauth/tokens/internal/place"

// NewOn is New on another system.
func NewOn(system place.System, config Config) (*Store, error) { return open(config, system) }
