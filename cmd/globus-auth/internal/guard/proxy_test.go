package guard_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestGuardProxy_SetsTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upstream := program(t)
	front := w.serve(t, "upstream: "+upstream.URL+"/base\nrules: {all_scopes: [\""+jobs+"\"], domains: [physics.example.edu]}\n")
	token := w.token(jobs)
	status, body := send(t, front.url, "POST /jobs?a=1 HTTP/1.1\nHost: api.example.org\nContent-Length: 5\n"+bearer(token)+"\nhello")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	got := decode(t, body)
	want := map[string]string{
		"X-Globus-Subject": w.Alice.ID, "X-Globus-Username": w.Alice.Username, "X-Globus-Name": "%C3%81lice 100%25",
		"X-Globus-Client-Id": w.Ready().NativeClientID, "X-Globus-Scope": jobs, "X-Globus-Identities": w.Alice.ID,
		"X-Globus-Session-Identity": w.Alice.ID, "X-Forwarded-Host": "api.example.org", "X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1",
	}
	for name, value := range want {
		if values := got.Header[name]; len(values) != 1 || values[0] != value {
			t.Errorf("%s is %q, want %q", name, values, value)
		}
	}
	if got.Method != http.MethodPost || got.Target != "/base/jobs?a=1" || got.Body != "hello" {
		t.Errorf("upstream received %s %s with body %q", got.Method, got.Target, got.Body)
	}
	if strings.Contains(string(body), token) {
		t.Error("upstream received the token")
	}
}

// TestGuardProxy_Smuggling sends headers that upstream could take for those of the guard.
func TestGuardProxy_Smuggling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upstream := program(t)
	front := w.serve(t, "upstream: "+upstream.URL+"\nroutes: [{pattern: /, optional: true}]\n")
	token := w.token(jobs)
	tests := map[string]string{
		"same name":          "X-Globus-Subject: evil\n",
		"lower case":         "x-globus-subject: evil\n",
		"mixed case":         "x-GLOBUS-sUbJeCt: evil\n",
		"underscores":        "X_Globus_Subject: evil\n",
		"some underscores":   "X-Globus_Subject: evil\n",
		"dots":               "X.Globus.Subject: evil\n",
		"other characters":   "X~Globus'Sub!ject: evil\n",
		"no separator":       "XGlobusSubject: evil\n",
		"doubled separators": "X--Globus-_Subject: evil\n",
		"separators outside": "-X-Globus-Subject_: evil\n",
		"twice":              "X-Globus-Subject: evil\nX-Globus-Subject: evil\n",
		"two spellings":      "X-Globus-Subject: evil\nX_GLOBUS_SUBJECT: evil\n",
		"empty and evil":     "X-Globus-Subject:\nX-Globus-Subject: evil\n",
		"named by Connection": "Connection: X-Globus-Subject, X-Globus-Username\n" +
			"X-Globus-Subject: evil\n",
		"Connection close and name": "Connection: close, x-globus-subject\nX-Globus-Subject: evil\n",
		"username":                  "X-Globus-Username: evil\n",
		"name":                      "X-Globus-Name: evil\n",
		"email":                     "X-Globus-Email: evil\n",
		"client":                    "X-Globus-Client-ID: evil\n",
		"scope":                     "X-Globus-Scope: evil\n",
		"identities":                "X-Globus-Identities: evil\n",
		"session identity":          "X-Globus-Session-Identity: evil\n",
		"service":                   "X-Globus-Service: evil\n",
		"assertion":                 "X-Globus-Assertion: evil\n",
		"origin":                    "X-Forwarded-For: evil\nForwarded: for=evil\nX-Real-IP: evil\n",
		"origin with underscores":   "X_Forwarded_For: evil\nX_Forwarded_Host: evil\n",
		"other forwarded headers":   "X-Forwarded-User: evil\nX-Forwarded-Uri: /evil\n",
		"method":                    "X-HTTP-Method-Override: evil\nX-Method-Override: evil\nX_HTTP_Method: evil\n",
		"path":                      "X-Original-URL: /evil\nX-Rewrite-URL: /evil\n",
	}
	for name, headers := range tests {
		for caller, authorization := range map[string]string{"anonymous": "", "alice": bearer(token)} {
			t.Run(name+" "+caller, func(t *testing.T) {
				t.Parallel()
				status, body := send(t, front.url, "GET / HTTP/1.1\nHost: api\n"+headers+authorization+"\n")
				if status != http.StatusOK || strings.Contains(string(body), "evil") {
					t.Errorf("status %d, upstream received %s", status, body)
				}
				subject := decode(t, body).Header["X-Globus-Subject"]
				if authorization == "" && subject != nil || authorization != "" && (len(subject) != 1 || subject[0] != w.Alice.ID) {
					t.Errorf("X-Globus-Subject is %q", subject)
				}
			})
		}
	}
	t.Run("trailer", func(t *testing.T) {
		t.Parallel()
		_, body := send(t, front.url, "POST / HTTP/1.1\nHost: api\nTransfer-Encoding: chunked\nTrailer: X-Globus-Subject\n\n1\na\n0\nX-Globus-Subject: evil\n\n")
		if got := decode(t, body); strings.Contains(string(body), "evil") || len(got.Trailer) != 0 || got.Body != "a" {
			t.Errorf("upstream received %s", body)
		}
	})
}

func TestGuardProxy_MalformedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	front := w.serve(t, "upstream: "+program(t).URL+"\nrules: {mfa: true}\n")
	for name, headers := range map[string]string{
		"space in a name":     "X-Globus-Subject : evil\n",
		"folded line":         "X: a\n X-Globus-Subject: evil\n",
		"two lengths":         "Content-Length: 1\nContent-Length: 2\n",
		"length and chunks":   "Transfer-Encoding: gzip\n",
		"NUL":                 "X: a\x00b\n",
		"two tokens":          "Authorization: Bearer a\nAuthorization: Bearer b\n",
		"token in the header": "Authorization: Bearer a, Bearer b\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := send(t, front.url, "GET / HTTP/1.1\nHost: api\n"+headers+"\n")
			if status != http.StatusBadRequest && status != http.StatusNotImplemented && status != http.StatusUnauthorized {
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
}

func TestGuardProxy_HTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	certificate, key := certificate(t)
	front := w.serve(t, fmt.Sprintf("upstream: %s\ntls: {certificate_file: %s, key_file: %s}\nrules: {all_scopes: [%q]}\n", program(t).URL, certificate, key, jobs))
	c := client(t)
	response, body := get(t, c, front.url+"/", "Authorization", "Bearer "+w.token(jobs), "x_globus_subject", "evil", "X-Globus-Subject", "evil", "X-Globus-Subject", "evil")
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK || strings.Contains(body, "evil") {
		t.Errorf("HTTP/%d, status %d: %s", response.ProtoMajor, response.StatusCode, body)
	}
	if got := decode(t, []byte(body)); got.Header.Get("X-Globus-Subject") != w.Alice.ID || got.Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("upstream received %v", got.Header)
	}
	if response, body := get(t, c, front.url+"/"); response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without a token: status %d: %s", response.StatusCode, body)
	}
}

// TestGuardProxy_Streams wants the parts of a body on the way before its end, in both directions.
func TestGuardProxy_Streams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both := http.NewResponseController(w)
		_ = both.EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(w, lines.Text())
			_ = both.Flush()
		}
	}))
	t.Cleanup(echo.Close)
	certificate, key := certificate(t)
	front := w.serve(t, fmt.Sprintf("upstream: %s\ntls: {certificate_file: %s, key_file: %s}\n", echo.URL, certificate, key))
	body, lines := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.token(jobs))
	go func() { _, _ = io.WriteString(lines, "first\n") }()
	response, err := client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	reader := bufio.NewReader(response.Body)
	for _, line := range []string{"first\n", "second\n", "third\n"} {
		if got, err := reader.ReadString('\n'); err != nil || got != line {
			t.Fatalf("read %q: %v, want %q", got, err, line)
		}
		next := map[string]string{"first\n": "second\n", "second\n": "third\n"}[line]
		if _, err := io.WriteString(lines, next); err != nil {
			t.Fatal(err)
		}
	}
	_ = lines.Close()
}

// upgrade opens an upgraded connection through the guard to an upstream that echoes lines.
func upgrade(t *testing.T, w *world) (*running, net.Conn, *bufio.Reader) {
	t.Helper()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("X-Globus-Subject") == "" {
			w.WriteHeader(http.StatusUpgradeRequired)
			return
		}
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(connection, buffer)
	}))
	t.Cleanup(echo.Close)
	front := w.serve(t, "upstream: "+echo.URL+"\n")
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(front.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_, _ = io.WriteString(connection, strings.ReplaceAll("GET /socket HTTP/1.1\nHost: api\nConnection: Upgrade\nUpgrade: websocket\n"+bearer(w.token(jobs))+"\n", "\n", "\r\n"))
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
	_ = response.Body.Close()
	return front, connection, reader
}

func TestGuardProxy_Websocket(t *testing.T) {
	t.Parallel()
	front, connection, reader := upgrade(t, newWorld(t))
	for range 3 {
		_, _ = io.WriteString(connection, "ping\n")
		if line, err := reader.ReadString('\n'); err != nil || line != "ping\n" {
			t.Fatalf("read %q: %v", line, err)
		}
	}
	front.stop()
	if _, err := reader.ReadString('\n'); err == nil {
		t.Error("the connection is open after the guard has ended")
	}
}

// TestGuardServe_FinishesRequests ends the guard while upstream works on a request.
func TestGuardServe_FinishesRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	started, finish := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(slow.Close)
	front := w.serve(t, "upstream: "+slow.URL+"\n")
	c := client(t)
	if response, body := get(t, c, front.admin+"/healthz"); response.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %q", response.StatusCode, body)
	}
	result := make(chan string, 1)
	token := w.token(jobs)
	go func() {
		_, body := get(t, c, front.url+"/", "Authorization", "Bearer "+token)
		result <- body
	}()
	<-started
	front.stop()
	for { // The admin address says that the guard is stopping.
		if response, _ := get(t, c, front.admin+"/healthz"); response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	close(finish)
	if body := <-result; body != "done" {
		t.Errorf("the request in flight got %q", body)
	}
	if err := <-front.done; err != nil {
		t.Error(err)
	}
	close(front.done)
}

func TestGuardProxy_UpstreamFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hangs, release := context.WithCancel(t.Context())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hangs.Done():
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { release(); slow.Close() })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		config, body string
		status       int
	}{
		"refuses":        {"upstream: " + gone.URL + "\n", "", http.StatusBadGateway},
		"does not reply": {"upstream_timeout: 50ms\nupstream: " + slow.URL + "\n", "", http.StatusGatewayTimeout},
		"large body":     {"max_body_bytes: 3\nupstream: " + program(t).URL + "\n", "Content-Length: 4\n\nbody", http.StatusRequestEntityTooLarge},
		"long chunks":    {"max_body_bytes: 3\nupstream: " + program(t).URL + "\n", "Transfer-Encoding: chunked\n\n4\nbody\n0\n\n", http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := w.serve(t, test.config)
			end := test.body
			if end == "" {
				end = "\n"
			}
			status, body := send(t, front.url, "POST / HTTP/1.1\nHost: api\n"+bearer(w.token(jobs))+end)
			if status != test.status || !strings.Contains(string(body), `"code"`) {
				t.Errorf("status %d, want %d: %s", status, test.status, body)
			}
		})
	}
}

// TestGuardProxy_SlowBodyOfDenied wants the connection closed of a client that is denied and keeps its body back.
func TestGuardProxy_SlowBodyOfDenied(t *testing.T) {
	t.Parallel()
	front := newWorld(t).serve(t, "upstream: "+program(t).URL+"\n")
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(front.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 100\r\n\r\n")
	_ = connection.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(connection); err != nil {
		t.Errorf("the connection is still open: %v", err)
	}
}
