package apierror_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/apierror"
)

func FuzzFromResponse(f *testing.F) {
	for _, file := range []string{"errors.json", "gare.json"} {
		for _, v := range loadVectors(f, file, 1) {
			f.Add(v.Response.Status, v.header().Get("Content-Type"), "", v.body())
		}
	}
	f.Add(503, "application/json; charset=utf-8", "120", []byte(`{"error":"a`+"\x80\u2028"+`b"}`))
	f.Add(-1, "", "Mon, 23 Nov 2026 10:02:00 GMT", []byte(strings.Repeat(`{"errors":[`, 300)))
	f.Add(403, "text/html\r\n", "x", []byte(`{"code":"ConsentRequired","required_scope":"s","error":"dependent_consent_required","errors":[[]]}`))

	f.Fuzz(func(t *testing.T, status int, contentType, after string, body []byte) {
		header := http.Header{"Content-Type": {contentType}, "Retry-After": {after}, "Date": {"Mon, 23 Nov 2026 10:00:00 GMT"}}
		e := apierror.FromResponse(after, status, header, body)
		for _, err := range []*apierror.Error{
			e,
			apierror.FromResponse(after, status, header, body, contentType, string(body), e.Message),
			{Operation: contentType, StatusCode: status, Code: string(body), Message: string(body), RequestID: after},
		} {
			checkLine(t, err.Error())
		}
		checkText(t, e.Code, 128)
		checkText(t, e.Message, 4096)
		checkText(t, e.RequestID, 128)
		if e.RetryAfter < 0 || e.RetryAfter.Hours() > 24 {
			t.Errorf("RetryAfter = %v", e.RetryAfter)
		}
		for _, class := range classes() {
			e.Is(class)
		}
		shown(t, e)

		found := apierror.Requirements(body)
		if e.Authorization != nil && len(found) == 0 {
			t.Error("authorization parameters without a requirement")
		}
		for _, requirement := range found {
			checkText(t, requirement.Parameters.SessionMessage, 4096)
			checkCanonical(t, requirement)
		}
	})
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	checkText(t, line, 1200)
	if !strings.HasPrefix(line, "globusauth") {
		t.Errorf("%q has no prefix", line)
	}
}

func checkText(t *testing.T, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) || strings.Contains(text, "  ") {
		t.Errorf("%d bytes of at most %d, or bad UTF-8, or spaces in a row: %q", len(text), limit, text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%q holds %U", text, r)
		}
	}
}

// checkCanonical writes a requirement and reads it again: its own form is found
// and means the same.
func checkCanonical(t *testing.T, requirement apierror.Requirement) {
	t.Helper()
	raw, err := json.Marshal(requirement)
	if err != nil {
		t.Fatal(err)
	}
	again := apierror.Requirements(raw)
	if len(raw) > 256<<10 {
		return
	}
	if len(again) != 1 {
		t.Fatalf("%s is read as %d requirements", raw, len(again))
	}
	rawAgain, err := json.Marshal(again[0])
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != string(rawAgain) {
		t.Errorf("%s became %s", raw, rawAgain)
	}
}
