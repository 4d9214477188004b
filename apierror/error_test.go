package apierror_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}}
}

func TestErrorError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string
	}{
		{
			"Auth document", 401, jsonHeader(),
			`{"errors":[{"status":"401","id":"7c0d","code":"UNAUTHORIZED","title":"Unauthorized","detail":"Call must be authenticated"}]}`,
			"globusauth: do it: UNAUTHORIZED: Call must be authenticated (status 401, request 7c0d); check or renew the credentials",
		},
		{
			"wrong secret", 401, jsonHeader(), `{"errors":[{"id":"7c0d","code":"UNAUTHORIZED","detail":"Basic auth failed"}]}`,
			"globusauth: do it: UNAUTHORIZED: Basic auth failed (status 401, request 7c0d); check the client ID and secret",
		},
		{
			"OAuth2", 400, jsonHeader(), `{"error":"invalid_grant","error_description":"code expired"}`,
			"globusauth: do it: invalid_grant: code expired (status 400); log in again",
		},
		{
			"OAuth2, no description", 400, jsonHeader(), `{"error":"invalid_scope"}`,
			"globusauth: do it: invalid_scope (status 400); check the requested scopes",
		},
		{
			"type zero", 400, jsonHeader(), `{"code":"NotSupported","message":"gone","request_id":"eHc"}`,
			"globusauth: do it: NotSupported: gone (status 400, request eHc)",
		},
		{
			"JSON:API",
			400,
			http.Header{"Content-Type": {"Application/VND.api+json; charset=utf-8"}},
			`{"errors":[{"code":"A","title":"t"}]}`,
			"globusauth: do it: A: t (status 400)",
		},
		{
			"requirement without a code", 403, jsonHeader(), `{"authorization_parameters":{"session_required_mfa":true}}`,
			"globusauth: do it: forbidden (status 403); log in again with the authorization parameters",
		},
		{
			"consent", 403, jsonHeader(), `{"code":"ConsentRequired","required_scopes":["s"]}`,
			"globusauth: do it: ConsentRequired (status 403); log in again and consent to the required scopes",
		},
		{
			"page of a proxy", 502,
			http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			"<html>no</html>",
			"globusauth: do it: bad gateway (status 502, no error document in 15 bytes of text/html); retry later",
		},
		{
			"page of another server", 404,
			http.Header{"Content-Type": {"text/html"}},
			"<html>no</html>",
			"globusauth: do it: not found (status 404, no error document in 15 bytes of text/html); probably from a proxy or a network login page: check the network and the base URL",
		},
		{
			"login page of a network", 200,
			http.Header{"Content-Type": {"text/html"}},
			"<html>sign in</html>",
			"globusauth: do it: unexpected response (status 200, no error document in 20 bytes of text/html); probably from a proxy or a network login page: check the network and the base URL",
		},
		{
			"rate limit", 429,
			http.Header{"Content-Type": {"application/json"}, "Retry-After": {"90"}},
			`{"error":"slow_down"}`,
			"globusauth: do it: slow_down (status 429); retry after 1m30s",
		},
		{
			"empty", 404, jsonHeader(), " \n",
			"globusauth: do it: not found (status 404, no error document in 2 bytes of application/json); check the ID, and that this identity may see it",
		},
		{
			"truncated", 400, jsonHeader(), `{"error":"inval`,
			"globusauth: do it: bad request (status 400, no error document in 15 bytes of application/json)",
		},
		{
			"number that is too large", 400, jsonHeader(), `{"n":1e999,"error":"invalid_grant"}`,
			"globusauth: do it: invalid_grant (status 400); log in again",
		},
		{
			"nothing in it", 400, jsonHeader(), `{"foo":"bar"}`,
			"globusauth: do it: bad request (status 400, no error document in 13 bytes of application/json)",
		},
		{
			"unknown status", 799,
			http.Header{},
			"hello",
			"globusauth: do it: unexpected response (status 799, no error document in 5 bytes of unknown type); retry later",
		},
		{
			"no content type", 400, nil, ` {"error":"invalid_grant"}`,
			"globusauth: do it: invalid_grant (status 400); log in again",
		},
		{
			"too long", 400, jsonHeader(), `{"error":"invalid_grant","x":"` + strings.Repeat("x", 256<<10) + `"}`,
			"globusauth: do it: bad request (status 400, no error document in 262176 bytes of application/json)",
		},
		{
			"control characters", 409, jsonHeader(), `{"code":"A\u001b[31mB","message":"one\r\n  two\u202ethree\u0000"}`,
			"globusauth: do it: A [31mB: one two three (status 409)",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := apierror.FromResponse("do it", test.status, test.header, []byte(test.body))
			if got := e.Error(); got != test.want {
				t.Errorf("Error()\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestErrorError_WithoutResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		e    *apierror.Error
		want string
	}{
		{
			&apierror.Error{Operation: "log in", Code: "access_denied", Message: "The user\nsaid no"},
			"globusauth: log in: access_denied: The user said no",
		},
		{&apierror.Error{Code: "login_required"}, "globusauth: login_required; log in again"},
		{&apierror.Error{}, "globusauth: unknown error"},
	}
	for _, test := range tests {
		if got := test.e.Error(); got != test.want {
			t.Errorf("Error()\n got %s\nwant %s", got, test.want)
		}
		if test.e.Body() != nil || test.e.Header() != nil {
			t.Errorf("%s: has a body or headers without a response", test.want)
		}
	}
}

func TestErrorError_IsShortened(t *testing.T) {
	t.Parallel()
	for _, filler := range []string{"x", "é", "日", "😀", "x "} {
		long := strings.Repeat(filler, 10_000)
		body := fmt.Sprintf(`{"code":%q,"message":%q,"request_id":%q}`, long, long, long)
		e := apierror.FromResponse(long, 400, jsonHeader(), []byte(body))
		got := e.Error()
		if len(got) > 1200 {
			t.Errorf("filler %q: %d bytes, want at most 1200", filler, len(got))
		}
		if n := strings.Count(got, "…"); n != 4 {
			t.Errorf("filler %q: %d parts marked as cut, want 4: %s", filler, n, got)
		}
		if strings.ContainsRune(got, '\uFFFD') || strings.Contains(got, " …") {
			t.Errorf("filler %q: cut within a character or after a space: %s", filler, got)
		}
		if len(e.Message) > 4096 || len(e.Code) > 128 || len(e.RequestID) > 128 {
			t.Errorf("filler %q: fields of %d, %d and %d bytes", filler, len(e.Message), len(e.Code), len(e.RequestID))
		}
	}
	// Text of just the longest length stays whole.
	whole := strings.Repeat("é", 256)
	if got := (&apierror.Error{Message: whole}).Error(); got != "globusauth: "+whole {
		t.Errorf("text of 512 bytes was cut: %s", got)
	}
}

func TestFromResponse_ManyDetails(t *testing.T) {
	t.Parallel()
	body := `{"errors":[` + strings.Repeat(`{"code":"C","detail":"d","id":"i"},`, 5000) + `{}]}`
	e := apierror.FromResponse("do it", 422, jsonHeader(), []byte(body))
	if len(e.Details) != 100 || e.Code != "C" || e.RequestID != "i" {
		t.Errorf("%d details, code %q, request ID %q; want 100, C, i", len(e.Details), e.Code, e.RequestID)
	}
	long := strings.Repeat("x", 3000)
	e2 := apierror.FromResponse("do it", 422, jsonHeader(), []byte(`{"errors":[{"detail":"a`+long+`"},{"detail":"b`+long+`"}]}`))
	if len(e2.Message) > 4096 || !strings.Contains(e2.Message, "; b") {
		t.Errorf("two messages of 3,001 bytes are joined to %d", len(e2.Message))
	}
	if want := (apierror.Detail{Code: "C", Message: "d", RequestID: "i"}); e.Details[0] != want {
		t.Errorf("Details[0] = %+v, want %+v", e.Details[0], want)
	}
}

func TestFromResponse_CopiesItsArguments(t *testing.T) {
	t.Parallel()
	header, body := jsonHeader(), []byte(`{"error":"invalid_grant"}`)
	e := apierror.FromResponse("do it", 400, header, body)
	header.Set("Content-Type", "changed")
	body[0] = 'x'
	e.Body()[0] = 'y'
	e.Header().Set("Content-Type", "changed")
	if got := string(e.Body()); got != `{"error":"invalid_grant"}` {
		t.Errorf("Body() = %s", got)
	}
	if got := e.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %s", got)
	}
}

func TestErrorBody_IsBounded(t *testing.T) {
	t.Parallel()
	e := apierror.FromResponse("do it", 500, nil, make([]byte, 256<<10+1))
	if got := len(e.Body()); got != 256<<10 {
		t.Errorf("Body() has %d bytes, want %d", got, 256<<10)
	}
}

func TestFromResponse_RetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Mon, 23 Nov 2026 10:00:00 GMT"
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"", date, 0},
		{"0", date, 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"86401", "", 24 * time.Hour},
		{"99999999999999999999999", "", 24 * time.Hour},
		{"-5", date, 0},
		{"1.5", date, 0},
		{"soon", date, 0},
		{"Mon, 23 Nov 2026 10:02:00 GMT", date, 2 * time.Minute},
		{"Monday, 23-Nov-26 10:02:00 GMT", date, 2 * time.Minute},
		{"Mon Nov 23 10:02:00 2026", date, 2 * time.Minute},
		{"Mon, 23 Nov 2026 09:00:00 GMT", date, 0},
		{"Mon, 23 Nov 2099 10:00:00 GMT", date, 24 * time.Hour},
		{"Mon, 23 Nov 2026 10:02:00 GMT", "", 0},
		{"Mon, 23 Nov 2026 10:02:00 GMT", "yesterday", 0},
	}
	for _, test := range tests {
		header := http.Header{}
		header.Set("Retry-After", test.value)
		if test.date != "" {
			header.Set("Date", test.date)
		}
		if got := apierror.FromResponse("do it", 429, header, nil).RetryAfter; got != test.want {
			t.Errorf("Retry-After %q, Date %q: got %v, want %v", test.value, test.date, got, test.want)
		}
	}
}
