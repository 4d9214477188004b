package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// What is wrong with the service, or between it and this machine, is named.
func TestDoctor_Service(t *testing.T) {
	t.Parallel()
	discovery := func(base string) string {
		return `{"issuer":"` + base + `","token_endpoint":"` + base + `/token","jwks_uri":"` + base + `/jwk.json"}`
	}
	keys := `{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256",` +
		`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	for name, test := range map[string]struct {
		skew      time.Duration // of the service
		noDate    bool
		discovery func(base string) string
		keys      string
		status    int
		want      string // "check status", of checks that are not ok
		detail    string
	}{
		"healthy":         {want: "", detail: "as that of the service"},
		"a little behind": {skew: 30 * time.Second, want: "", detail: "behind the service"},
		"behind":          {skew: 2 * time.Minute, want: "clock warning", detail: "m"},
		"ahead":           {skew: -2 * time.Minute, want: "clock warning", detail: "ahead of the service: tokens may expire before they are refreshed"},
		"an hour behind":  {skew: time.Hour, want: "clock failed", detail: "behind the service: ID tokens may be refused"},
		"an hour ahead":   {skew: -time.Hour, want: "clock failed", detail: "1h0m"},
		"no date":         {noDate: true, want: "clock skipped", detail: "the response has no date"},
		"login page":      {discovery: func(string) string { return "<html>log in to the network</html>" }, want: "discovery failed, keys skipped", detail: "not a discovery document"},
		"another issuer": {discovery: func(base string) string {
			return strings.Replace(discovery(base), base, "https://auth.example.org", 1)
		}, want: "discovery failed", detail: `the issuer is "https://auth.example.org", not "http://127.0.0.1`},
		"keys elsewhere": {discovery: func(base string) string {
			return strings.Replace(discovery(base), base+"/jwk.json", "https://auth.example.org/jwk.json", 1)
		}, want: "keys failed", detail: "on another host"},
		"no keys": {keys: `{"keys":[]}`, want: "keys failed", detail: "no usable key"},
		"down":    {status: http.StatusServiceUnavailable, want: "network failed, clock skipped, discovery skipped, keys skipped", detail: "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var service *httptest.Server
			var requests atomic.Int32
			service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.Header().Set("Date", time.Now().Add(test.skew).UTC().Format(http.TimeFormat))
				if test.noDate {
					w.Header()["Date"] = nil
				}
				if test.status != 0 {
					w.WriteHeader(test.status)
					return
				}
				text := keys
				if test.keys != "" {
					text = test.keys
				}
				if !strings.HasSuffix(r.URL.Path, "/jwk.json") {
					if text = discovery(service.URL); test.discovery != nil {
						text = test.discovery(service.URL)
					}
				}
				_, _ = w.Write([]byte(text))
			}))
			defer service.Close()
			var out, errs syncBuffer
			env := map[string]string{"GLOBUS_AUTH_STORE_DIR": t.TempDir()}
			code := cli.Run(t.Context(), []string{"doctor", "--base-url", service.URL, "--format", "json"},
				cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, func(name string) string { return env[name] })
			var report struct {
				Checks []struct{ Check, Status, Detail string }
			}
			if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
				t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
			}
			var odd []string
			for _, c := range report.Checks {
				if c.Status != "ok" && c.Check != "login" {
					odd = append(odd, c.Check+" "+c.Status)
				}
			}
			if got := strings.Join(odd, ", "); got != test.want || !strings.Contains(out.String(), strings.ReplaceAll(test.detail, `"`, `\"`)) {
				t.Errorf("got %q, want %q and %q\n%s", got, test.want, test.detail, out.String())
			}
			if failed := strings.Contains(test.want, "failed"); failed != (code == cli.ExitFailed) || errs.String() != "" {
				t.Errorf("exit %d\n%s", code, errs.String())
			}
			if n := requests.Load(); n > 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// Without the service, a stored token is neither sent nor called invalid.
func TestDoctor_TokenWithoutService(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login()
	d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "getOpenIDConfiguration", Status: http.StatusServiceUnavailable})
	d.server.ResetStats()
	r := d.run("doctor", "--format", "csv")
	if r.code != cli.ExitFailed || !strings.Contains(r.out, "\naccepted,skipped,needs the network,\n") {
		t.Errorf("%+v", r)
	}
	d.server.AssertOperations("getOpenIDConfiguration")
}
