package filestore

import (
	"context"
	"time"

	"github.com/globusauth/globusauth/tokens/internal/place"
	"github.com/globusauth/globusauth/tokens/internal/place/jsonfile"
)

// NewOn is New on another system, without waiting for the writers of half files.
func NewOn(system place.System, config Config) (*Store, error) {
	return open(config, &jsonfile.Backend{System: system, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
}
