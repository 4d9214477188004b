// Package otelauth counts what a resource server does with OpenTelemetry:
//
//	observer, err := otelauth.New(provider.Meter("my-api"))
//	api, err := resourceserver.New(resourceserver.Config{Observer: observer, ...})
//
// An [Observer] is safe for concurrent use. Its attributes contain no token and no
// name of a caller.
package otelauth

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/globusauth/globusauth/resourceserver"
)

// Observer counts with a meter; New makes one. It is safe for concurrent use.
type Observer struct {
	hits, introspections, denied metric.Int64Counter
}

var _ resourceserver.Observer = (*Observer)(nil)

// New returns an observer for resourceserver.Config. Its counters are
// globus.auth.cache_hits, globus.auth.introspections and globus.auth.denied, the last with the
// attributes http.response.status_code and globus.auth.rule. No attribute names a caller.
func New(meter metric.Meter) (*Observer, error) {
	o := &Observer{}
	var err error
	for counter, name := range map[*metric.Int64Counter][2]string{
		&o.hits:           {"globus.auth.cache_hits", "Requests whose token was introspected before."},
		&o.introspections: {"globus.auth.introspections", "Introspections sent."},
		&o.denied:         {"globus.auth.denied", "Requests denied."},
	} {
		if *counter, err = meter.Int64Counter(name[0], metric.WithDescription(name[1])); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// CacheHit counts a request whose token was introspected before.
func (o *Observer) CacheHit() { o.hits.Add(context.Background(), 1) }

// Introspection counts an introspection.
func (o *Observer) Introspection() { o.introspections.Add(context.Background(), 1) }

// Denied counts a denied request.
func (o *Observer) Denied(status int, rule string) {
	o.denied.Add(context.Background(), 1, metric.WithAttributes(
		attribute.Int("http.response.status_code", status), attribute.String("globus.auth.rule", rule)))
}
