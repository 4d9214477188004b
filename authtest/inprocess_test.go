package authtest_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// A connection that is dropped is an error of the request, or of the body once the
// response has begun, as over a network.
func TestServerClient_WithoutANetworkDropsConnections(t *testing.T) {
	t.Parallel()
	for kind, begun := range map[authtest.FaultKind]bool{
		authtest.FaultDropBefore: false, authtest.FaultDropAfter: false, authtest.FaultTruncate: true,
	} {
		s, err := authtest.NewServer(authtest.Config{})
		if err != nil {
			t.Fatal(err)
		}
		s.Inject(authtest.Fault{Kind: kind})
		response, err := s.Client().Do(newRequest(t, http.MethodGet, "https://auth.test/jwk.json"))
		if begun && err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		} else if begun != (err == nil) {
			t.Errorf("%s: the request ended with %v", kind, err)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: error %v, want that the connection broke", kind, err)
		}
	}
}
