package guard_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
	"github.com/globusauth/globusauth/internal/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	robotID = apitest.RobotID
	jobs    = string(apitest.Jobs)
	admin   = string(apitest.Admin)
)

type world struct{ *apitest.World }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	return &world{apitest.New(tb, authtest.New(tb), authtest.User{Username: "alice@physics.example.edu", Name: "Álice 100%"})}
}

// token issues an access token of alice for the API.
func (w *world) token(scopes ...string) string {
	return w.Token(authtest.Grant{User: w.Alice.Username, Scopes: scopes})
}

func read(tb testing.TB, text string) guard.Config {
	tb.Helper()
	config, err := guard.Read(strings.NewReader("client_id: " + apitest.ClientID + "\n" + text))
	if err != nil {
		tb.Fatal(err)
	}
	return config
}

// guard makes a guard of a configuration.
func (w *world) guard(tb testing.TB, text string) *guard.Guard {
	tb.Helper()
	g, err := guard.New(read(tb, text), w.OAuth)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// running is a guard that serves.
type running struct {
	url, admin string
	stop       context.CancelFunc
	done       chan error
}

// serve runs a guard until the test ends.
func (w *world) serve(tb testing.TB, text string) *running {
	tb.Helper()
	g := w.guard(tb, text)
	g.SetBodyTimeout(50 * time.Millisecond)
	requests, operators := listen(tb), listen(tb)
	ctx, stop := context.WithCancel(tb.Context())
	r := &running{url: "http://" + requests.Addr().String(), admin: "http://" + operators.Addr().String(), stop: stop, done: make(chan error, 1)}
	if strings.Contains(text, "certificate_file") {
		r.url = "https://" + requests.Addr().String()
	}
	go func() { r.done <- g.Serve(ctx, requests, operators) }()
	tb.Cleanup(func() {
		stop()
		if err, open := <-r.done; open && err != nil {
			tb.Error(err)
		}
	})
	return r
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

// program is an upstream that responds with the request it received.
func program(tb testing.TB) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(received{r.Method, r.RequestURI, r.Host, r.Header, r.Trailer, string(body)})
	}))
	tb.Cleanup(server.Close)
	return server
}

type received struct {
	Method, Target, Host string
	Header, Trailer      http.Header
	Body                 string
}

// send sends the text of a request, with "\n" for the ends of lines.
func send(tb testing.TB, address, text string) (status int, body []byte) {
	tb.Helper()
	connection, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		tb.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: strings.Fields(text)[0]})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, body
}

func decode(tb testing.TB, body []byte) (r received) {
	tb.Helper()
	if err := json.Unmarshal(body, &r); err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
	return r
}

// reply is a response without its body.
type reply struct {
	StatusCode, ProtoMajor int
	Header                 http.Header
}

// get sends a request with headers given as names and values.
func get(tb testing.TB, client *http.Client, url string, headers ...string) (reply, string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header[headers[i]] = append(request.Header[headers[i]], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return reply{response.StatusCode, response.ProtoMajor, response.Header}, string(body)
}

// client returns a client whose connections end with the test.
func client(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func bearer(token string) string { return fmt.Sprintf("Authorization: Bearer %s\n", token) }
