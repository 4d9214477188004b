package apierror

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/redact"
)

// Limits of what is kept and shown, in bytes.
const (
	maxBody       = 256 << 10 // of a body, kept and read
	maxMessage    = 4096      // of Message, and of each detail's
	maxName       = 128       // of an operation, a code, a request ID
	maxShown      = 512       // of a message within Error()
	maxDetails    = 100       // subdocuments read
	maxRetryAfter = 24 * time.Hour
)

// Error is a response of a Globus service that reports a failure, or the error
// that an authorization server sent to a redirect URI (then StatusCode is 0).
//
// [FromResponse] makes one from a response; a literal with the exported fields
// works as well. Code, Message, RequestID and Details of an Error made by
// FromResponse are printable text without control characters and are bounded in
// length; [Error.Body] has what was really sent. No method changes an Error, so
// that one that no code changes is safe for concurrent use.
type Error struct {
	// Operation names the attempted operation: "get identities".
	Operation string `json:"operation,omitempty"`
	// StatusCode is the HTTP status, 0 when there was no response.
	StatusCode int `json:"status,omitempty"`
	// Code is the service's name for the error: "FORBIDDEN", "invalid_grant".
	// It is empty if the service sent no code or several different ones.
	Code string `json:"code,omitempty"`
	// Message is the service's explanation; several are joined with "; ".
	Message string `json:"message,omitempty"`
	// RequestID names the request to the service's support staff.
	RequestID string `json:"request_id,omitempty"`
	// Details are the entries of the document's "errors" list, at most 100.
	Details []Detail `json:"details,omitempty"`
	// RetryAfter is how long the service asks to wait, from its Retry-After
	// header; 0 when it does not say, at most 24 hours. A date in that header
	// counts from the response's own Date header.
	RetryAfter time.Duration `json:"retry_after_ns,omitempty"`
	// Authorization are the requirements for the next login before the call can
	// succeed; nil if there are none.
	Authorization *AuthorizationParameters `json:"authorization_parameters,omitempty"`

	oauthCode       string // root field "error", also beside an "errors" list
	requirementCode string // code of the requirement behind Authorization
	note            string // why nothing could be read from the body
	foreign         bool   // the body is not JSON, so the response is probably not the service's
	// Nothing that prints a value by reflection looks inside a function. The
	// verbs s, q and x do look behind a pointer, when it is an Error that is
	// printed and not a pointer to one.
	response func() (http.Header, []byte)
}

// Detail is one entry of a document's "errors" list.
type Detail struct {
	// Code is the service's name for this one error.
	Code string `json:"code,omitempty"`
	// Message is its explanation: the field message, detail or title.
	Message string `json:"message,omitempty"`
	// RequestID is the field id.
	RequestID string `json:"request_id,omitempty"`
}

// Error is one line with the operation, the error and, for common classes, what to
// do next:
//
//	globusauth: exchange code: invalid_grant: code expired (status 400, request 7c0d); log in again
//
// It contains neither the body nor a header, and at most 1200 bytes.
func (e *Error) Error() string {
	reason := join(": ", redact.Line(e.Code, maxName), redact.Line(e.Message, maxShown))
	text := join(": ", "globusauth", redact.Line(e.Operation, maxName), cmp.Or(reason, e.reason()))
	var status, request string
	if e.StatusCode != 0 {
		status = "status " + strconv.Itoa(e.StatusCode)
	}
	if e.RequestID != "" {
		request = "request " + redact.Line(e.RequestID, maxName)
	}
	if facts := join(", ", status, request, e.note); facts != "" {
		text += " (" + facts + ")"
	}
	return join("; ", text, e.hint())
}

// join joins the texts that are not empty.
func join(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), separator)
}

// reason stands in for a code and a message that the service did not send.
func (e *Error) reason() string {
	text := http.StatusText(e.StatusCode)
	switch {
	case e.StatusCode == 0:
		return "unknown error"
	case e.StatusCode < http.StatusBadRequest || text == "":
		return "unexpected response"
	}
	return strings.ToLower(text)
}

// Body returns a copy of the response's body as it was sent, cut after 256 KiB;
// nil when there was no response. It can contain secrets: do not
// log it.
func (e *Error) Body() []byte {
	if e.response == nil {
		return nil
	}
	_, body := e.response()
	return bytes.Clone(body)
}

// Header returns a copy of the response's headers, nil when there was no
// response.
func (e *Error) Header() http.Header {
	if e.response == nil {
		return nil
	}
	header, _ := e.response()
	return header.Clone()
}
