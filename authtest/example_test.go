package authtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

// A server that a program runs itself, asked for tokens of a client.
func Example() {
	server, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	listening := httptest.NewServer(server.Handler())
	defer listening.Close()

	ready := server.Ready()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {ready.ResourceScope.Scope}}
	request, err := http.NewRequest(http.MethodPost, listening.URL+"/v2/oauth2/token?"+form.Encode(), nil) //nolint:noctx // Short for an example.
	if err != nil {
		fmt.Println(err)
		return
	}
	request.SetBasicAuth(ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	response, err := listening.Client().Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close() //nolint:errcheck // Read to its end.
	var token struct {
		ResourceServer string `json:"resource_server"`
		ExpiresIn      int    `json:"expires_in"`
	}
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &token)
	}
	fmt.Println(response.StatusCode, token.ResourceServer, time.Duration(token.ExpiresIn)*time.Second, err)
	// Output: 200 transfer.api.globus.org 48h0m0s <nil>
}

// A custom world, and the counts of requests.
func ExampleServer_Stats() {
	world := authtest.World{Users: []authtest.User{{Username: "dora@example.org", Name: "Dora"}}}
	server, err := authtest.NewServer(authtest.Config{World: &world})
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder := httptest.NewRecorder()
	server.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/jwk.json", nil)) //nolint:noctx // Short for an example.
	fmt.Println(server.Stats().Operations["getJWKS"]["200"], server.Stats().Grants["refresh_token"])
	// Output: 1 map[invalid_grant:0 ok:0]
}
