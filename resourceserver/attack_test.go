package resourceserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
)

// TestAPIAuthenticate_HostileIntrospection lets no token through that the service does not clearly say is valid for
// this API. A field of another type than it should have counts as missing.
func TestAPIAuthenticate_HostileIntrospection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := fmt.Sprintf(`"active":true,"aud":[%q],"sub":%q,"client_id":"c","scope":%q,"exp":%d`, apiID, w.Alice.ID, jobs, w.Now().Add(time.Hour).Unix())
	without := func(field string) string {
		before, rest, _ := strings.Cut(good, `"`+field+`":`)
		_, after, _ := strings.Cut(rest, `,"`)
		return strings.TrimSuffix(before+`"`+after, `,"`)
	}
	const invalid, unavailable, denied = http.StatusUnauthorized, http.StatusServiceUnavailable, http.StatusForbidden
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"good":                      {"{" + good + "}", http.StatusOK},
		"unknown fields":            {"{" + good + `,"x":[{}],"session_info":null,"policy_evaluations":null,"identity_set":null}`, http.StatusOK},
		"inactive":                  {`{"active":false,` + without("active") + "}", invalid},
		"active is missing":         {"{" + without("active") + "}", invalid},
		"active is null":            {`{"active":null,` + without("active") + "}", invalid},
		"active is text":            {`{"active":"false",` + without("active") + "}", invalid},
		"active is a number":        {`{"active":1,` + without("active") + "}", invalid},
		"no audience":               {"{" + without("aud") + "}", invalid},
		"another audience":          {`{"aud":["` + robotID + `"],` + without("aud") + "}", invalid},
		"audience that contains it": {`{"aud":["` + apiID + `/x"],` + without("aud") + "}", invalid},
		"audience is an object":     {`{"aud":{"` + apiID + `":1},` + without("aud") + "}", invalid},
		"no subject":                {"{" + without("sub") + "}", invalid},
		"subject is a list":         {`{"sub":["a"],` + without("sub") + "}", invalid},
		"no expiry":                 {"{" + without("exp") + "}", invalid},
		"expiry is null":            {`{"exp":null,` + without("exp") + "}", invalid},
		"expired":                   {fmt.Sprintf(`{"exp":%d,%s}`, w.Now().Add(-time.Second).Unix(), without("exp")), invalid},
		"expiry is text":            {`{"exp":"soon",` + without("exp") + "}", invalid},
		"expiry before all time":    {`{"exp":-1e300,` + without("exp") + "}", invalid},
		"expiry after all time":     {`{"exp":1e300,` + without("exp") + "}", invalid},
		"no object":                 {`[{` + good + `}]`, unavailable},
		"two documents":             {`{` + good + `}{` + good + `}`, unavailable},
		"empty":                     {``, unavailable},
		"null":                      {`null`, invalid},
		"deep":                      {`{` + good + `,"x":` + strings.Repeat("[", 1<<20), unavailable},
		"large":                     {`{` + good + `,"x":"` + strings.Repeat("x", 9<<20) + `"}`, unavailable},
		"many identities":           {`{` + good + `,"identity_set_detail":[` + strings.Repeat("{},", 2<<20) + `{}]}`, unavailable},
		"no scope":                  {`{` + strings.Replace(good, string(jobs), "", 1) + `}`, denied},
		"scope with another space":  {`{` + strings.Replace(good, string(jobs), string(jobs)+"\\u00a0", 1) + `}`, denied},
		"scope with a line":         {`{` + strings.Replace(good, string(jobs), "x\\r\\n"+string(jobs), 1) + `}`, denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.respondTo(t, "/v2/oauth2/token/introspect", func(*http.Request) (int, string) { return http.StatusOK, test.body })
			_, err := w.api(t, resourceserver.Config{Details: true}).Authenticate(t.Context(), "token", resourceserver.AllScopes(jobs))
			refused, _ := errors.AsType[*resourceserver.DeniedError](err)
			if status := statusOf(refused); status != test.status || err != nil && refused == nil {
				t.Errorf("status %d, %v, want %d", status, err, test.status)
			}
		})
	}
}

func statusOf(denial *resourceserver.DeniedError) int {
	if denial == nil {
		return http.StatusOK
	}
	return denial.Status
}

// TestAPIAuthenticate_Flood has thousands of unknown tokens while the service does not respond. The waiting ones are
// bounded, although their clients have left, and a token that was valid before is not held up.
func TestAPIAuthenticate_Flood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var inFlight atomic.Int64
		w.OAuth.Auth = w.clientOver(t, func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				form, err := io.ReadAll(r.Body)
				if err != nil || !strings.Contains(string(form), "token=garbage") {
					r = r.Clone(r.Context())
					r.Body = io.NopCloser(bytes.NewReader(form))
					return next.RoundTrip(r)
				}
				inFlight.Add(1)
				defer inFlight.Add(-1)
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		})
		api := w.api(t, resourceserver.Config{})
		token := w.Token(authtest.Grant{User: w.Alice.Username})
		if _, err := api.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // The introspection is not cached any more.

		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		const flood, bound = 3000, 64 + 1000
		var refused atomic.Int64
		var requests sync.WaitGroup
		for n := range flood {
			requests.Go(func() {
				if _, err := api.Authenticate(ctx, "garbage"+strconv.Itoa(n)); ctx.Err() == nil && err != nil {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if inFlight.Load() != 64 || refused.Load() != flood-bound {
			t.Errorf("%d introspections in flight and %d refused, want 64 and %d", inFlight.Load(), refused.Load(), flood-bound)
		}
		begin := time.Now()
		if _, err := api.Authenticate(t.Context(), token); err != nil || time.Since(begin) > 0 {
			t.Errorf("a token that was valid before: %v after %s", err, time.Since(begin))
		}
		leave()
		requests.Wait()
		synctest.Wait()
		if inFlight.Load() != 64 {
			t.Errorf("%d introspections in flight after the clients left, want 64", inFlight.Load())
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if inFlight.Load() != 0 {
			t.Errorf("%d introspections in flight after 11 s", inFlight.Load())
		}
	})
}

// TestAPIAuthenticate_WaiterLeaves ends one of two requests with a token: the other gets the response.
func TestAPIAuthenticate_WaiterLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Inject(authtest.Fault{Kind: authtest.FaultLatency, Operation: "introspect", Latency: 2 * time.Second})
		api := w.api(t, resourceserver.Config{})
		token := w.Token(authtest.Grant{User: w.Alice.Username})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		left, stayed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := api.Authenticate(ctx, token); left <- err }()
		synctest.Wait() // The request that leaves began the introspection.
		go func() { _, err := api.Authenticate(t.Context(), token); stayed <- err }()
		if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the request that left: %v", err)
		}
		if err := <-stayed; err != nil || w.introspections() != 1 {
			t.Errorf("the request that stayed: %v after %d introspections", err, w.introspections())
		}
	})
}

// TestAPIProtect_PolicyOfAnotherRoute wants each route to ask for its own policies, whichever was requested first.
func TestAPIProtect_PolicyOfAnotherRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	met := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "met", Include: []string{"physics.example.edu"}})
	unmet := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "unmet", Include: []string{"example.com"}})
	api := w.api(t, resourceserver.Config{})
	next := http.HandlerFunc(hello)
	token := "Bearer " + w.Token(authtest.Grant{User: w.Alice.Username})
	bare := api.Protect(next)
	if response, _ := call(t, bare, token); response.Code != http.StatusOK {
		t.Fatalf("status %d", response.Code)
	}
	one, other := api.Protect(next, resourceserver.Policies(met.ID)), api.Protect(next, resourceserver.Policies(unmet.ID))
	for range 2 {
		for i, handler := range []http.Handler{one, other, bare} {
			want := []int{http.StatusOK, http.StatusForbidden, http.StatusOK}[i]
			if response, body := call(t, handler, token); response.Code != want {
				t.Errorf("%d %v, want %d", response.Code, body, want)
			}
		}
	}
	if w.introspections() != 2 { // One before the policies were named, one for all routes since.
		t.Errorf("%d introspections, want 2", w.introspections())
	}
}
