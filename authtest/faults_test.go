package authtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
)

// outcome is what a client sees of a client-credentials grant.
type outcome struct {
	status      int
	contentType string
	retryAfter  string
	body        string
	err         error
}

func grantOnce(t *testing.T, s *authtest.Server, client *http.Client) outcome {
	t.Helper()
	ready := s.Ready()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {transferAll}}
	request, err := http.NewRequestWithContext(t.Context(), "POST", s.BaseURL()+"v2/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	response, err := client.Do(request)
	if err != nil {
		return outcome{err: err}
	}
	defer response.Body.Close() //nolint:errcheck // Read below.
	body, err := io.ReadAll(response.Body)
	return outcome{
		status: response.StatusCode, contentType: response.Header.Get("Content-Type"), retryAfter: response.Header.Get("Retry-After"),
		body: string(body), err: err,
	}
}

func TestServerInject_Kinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault   authtest.Fault
		check   func(o outcome) bool
		granted int // how many tokens the server gave
	}{
		{authtest.Fault{Kind: authtest.FaultStatus, Status: 429, RetryAfter: 7}, func(o outcome) bool {
			return o.status == 429 && o.retryAfter == "7" && strings.Contains(o.body, `"code":"TOO_MANY_REQUESTS"`)
		}, 0},
		{authtest.Fault{Kind: authtest.FaultStatus, Status: 503, Body: "{}"}, func(o outcome) bool { return o.status == 503 && o.body == "{}" }, 0},
		{authtest.Fault{Kind: authtest.FaultDropBefore}, func(o outcome) bool { return o.err != nil }, 0},
		{authtest.Fault{Kind: authtest.FaultDropAfter}, func(o outcome) bool { return o.err != nil }, 1},
		{authtest.Fault{Kind: authtest.FaultTruncate}, func(o outcome) bool {
			return o.status == 200 && errors.Is(o.err, io.ErrUnexpectedEOF) && o.body != ""
		}, 1},
		{authtest.Fault{Kind: authtest.FaultMalformed}, func(o outcome) bool {
			return o.status == 200 && o.err == nil && !json.Valid([]byte(o.body))
		}, 1},
		{authtest.Fault{Kind: authtest.FaultContentType}, func(o outcome) bool {
			return o.status == 200 && o.contentType == "text/html; charset=utf-8" && json.Valid([]byte(o.body))
		}, 1},
		{authtest.Fault{Kind: authtest.FaultLatency, Latency: time.Millisecond}, func(o outcome) bool { return o.status == 200 && o.err == nil }, 1},
		{authtest.Fault{Kind: authtest.FaultSlowBody, Latency: 10 * time.Millisecond}, func(o outcome) bool {
			return o.status == 200 && json.Valid([]byte(o.body))
		}, 1},
	} {
		t.Run(string(test.fault.Kind), func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t)
			test.fault.Operation, test.fault.Times = "token", 1
			s.Inject(test.fault)
			client := s.Client()
			if o := grantOnce(t, s, client); !test.check(o) {
				t.Errorf("outcome = %+v", o)
			}
			if got := s.Stats().Grants["client_credentials"]["ok"]; got != test.granted {
				t.Errorf("%d grants happened, want %d", got, test.granted)
			}
			if o := grantOnce(t, s, client); o.status != 200 || o.err != nil {
				t.Errorf("the rule did not end: %+v", o)
			}
		})
	}
}

func TestServerInject_Rules(t *testing.T) {
	t.Parallel()
	statuses := func(s *authtest.Server, client *http.Client, n int) []int {
		var list []int
		for range n {
			list = append(list, grantOnce(t, s, client).status)
		}
		return list
	}
	fails := authtest.Fault{Kind: authtest.FaultStatus, Status: 500}
	for _, test := range []struct {
		name   string
		change func(f *authtest.Fault)
		want   []int
	}{
		{"every request", func(*authtest.Fault) {}, []int{500, 500, 500}},
		{"the second", func(f *authtest.Fault) { f.Nth = 2 }, []int{200, 500, 200}},
		{"twice", func(f *authtest.Fault) { f.Times = 2 }, []int{500, 500, 200}},
		{"another operation", func(f *authtest.Fault) { f.Operation = "getIdentities" }, []int{200, 200, 200}},
		{"another client", func(f *authtest.Fault) { f.Client = "x" }, []int{200, 200, 200}},
		{"this client", func(f *authtest.Fault) { f.Client = "a0000000-0000-4000-8000-000000000002" }, []int{500, 500, 500}},
		{"always", func(f *authtest.Fault) { f.Probability = 1 }, []int{500, 500, 500}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t)
			fault := fails
			test.change(&fault)
			id := s.Inject(fault)
			client := s.Client()
			if diff := cmp.Diff(test.want, statuses(s, client, 3)); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			s.ClearFaults(id)
			if got := statuses(s, client, 1); got[0] != 200 {
				t.Errorf("after clearing: %v", got)
			}
		})
	}
	t.Run("half", func(t *testing.T) {
		t.Parallel()
		s := authtest.NewWith(t, authtest.Config{Deterministic: true})
		fault := fails
		fault.Probability = 0.5
		s.Inject(fault)
		failed := 0
		for _, status := range statuses(s, s.Client(), 200) {
			if status == 500 {
				failed++
			}
		}
		if failed < 70 || failed > 130 {
			t.Errorf("%d of 200 failed, want about a half", failed)
		}
	})
}

func TestConfigTLS_ClientTrustsTheServer(t *testing.T) {
	t.Parallel()
	s := authtest.NewWith(t, authtest.Config{TLS: true})
	if o := grantOnce(t, s, s.Client()); o.status != 200 || !strings.HasPrefix(s.BaseURL(), "https://") {
		t.Errorf("%s: %+v", s.BaseURL(), o)
	}
}

func TestServerRotateKeys_PublishesBothKeys(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{KeyIDs: true})
	keys := func() []any {
		list, _ := p.want(p.do("GET", "/jwk.json", "", nil), 200).json(t)["keys"].([]any)
		return list
	}
	before := keys()
	if err := p.server.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	after := keys()
	if len(before) != 1 || len(after) != 2 || cmp.Equal(after[0], before[0]) || !cmp.Equal(after[1], before[0]) {
		t.Errorf("keys before %v, after %v; want the new one in front of the old", before, after)
	}
	if after[0].(map[string]any)["kid"] == "" {
		t.Error("no key ID although they were asked for")
	}
}
