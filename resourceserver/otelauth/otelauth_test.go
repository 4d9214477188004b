package otelauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/resourceserver/otelauth"
)

func Example() {
	reader := metric.NewManualReader()
	observer, err := otelauth.New(metric.NewMeterProvider(metric.WithReader(reader)).Meter("example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := resourceserver.New(resourceserver.Config{
		OAuth:    flows.Config{Auth: auth, ClientID: "CLIENT_ID", ClientSecret: "CLIENT_SECRET"},
		Observer: observer,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := api.Protect(http.NotFoundHandler())
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody))

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		fmt.Println(err)
		return
	}
	for _, scope := range metrics.ScopeMetrics {
		for _, counter := range scope.Metrics {
			if sum, ok := counter.Data.(metricdata.Sum[int64]); ok {
				for _, point := range sum.DataPoints {
					fmt.Println(counter.Name, point.Attributes.Encoded(attribute.DefaultEncoder()), point.Value)
				}
			}
		}
	}
	// Output: globus.auth.denied globus.auth.rule=,http.response.status_code=401 1
}
