package guard_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestGuardForwardAuth_Traefik sends what Traefik's documentation of forwardAuth says it sends with trustForwardHeader
// false. The example must name every header of the response: Traefik passes on what clients send in others.
func TestGuardForwardAuth_Traefik(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(examples, "traefik.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		HTTP struct {
			Middlewares struct {
				Guard struct {
					ForwardAuth struct {
						Address            string
						TrustForwardHeader *bool  `yaml:"trustForwardHeader"`
						Headers            string `yaml:"authResponseHeadersRegex"`
					} `yaml:"forwardAuth"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	example := config.HTTP.Middlewares.Guard.ForwardAuth
	if !strings.HasSuffix(example.Address, "/check") || example.TrustForwardHeader == nil || *example.TrustForwardHeader {
		t.Errorf("the example has %+v", example)
	}
	named := regexp.MustCompile(example.Headers)
	w := newWorld(t)
	handler := w.guard(t, "forward_auth: traefik\nrules: {fresh: 1h}\nroutes: [{pattern: POST /jobs, all_scopes: ["+jobs+"]}]\nassertion: {key_file: "+edwardsKey(t)+", audience: a}\n").Handler()
	header := http.Header{
		"Authorization": {"Bearer " + w.token(jobs)}, "User-Agent": {"curl/8"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"},
		"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Host": {"jobs.example.org"}, "X-Forwarded-Method": {"POST"},
		"X-Forwarded-Port": {"443"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Server": {"edge"}, "X-Forwarded-Uri": {"/jobs?a=1"}, "X-Real-Ip": {"192.0.2.1"},
	}
	status, response := check(t, handler, "/check", header)
	if status != http.StatusOK || response.Get("X-Globus-Subject") != w.Alice.ID || response.Get("X-Globus-Assertion") == "" {
		t.Errorf("status %d, header %v", status, response)
	}
	for name := range response {
		if strings.HasPrefix(name, "X-Globus-") && !named.MatchString(name) {
			t.Errorf("the example does not name %s", name)
		}
	}
	for name, value := range map[string]string{"X-Forwarded-Method": "DELETE", "X-Forwarded-Uri": "/other"} {
		changed := header.Clone()
		changed.Set(name, value)
		if status, _ := check(t, handler, "/check", changed); status != http.StatusForbidden {
			t.Errorf("%s %s: status %d", name, value, status)
		}
	}
}
