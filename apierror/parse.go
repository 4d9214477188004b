package apierror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/redact"
)

// FromResponse reads the response to a failed operation. It never fails: whatever
// cannot be parsed leaves its fields empty. operation names the attempted operation.
// header and body are copied; at most 256 KiB of the body is kept, and a longer body is
// not parsed.
//
// A body is read as JSON when its Content-Type is application/json or
// application/*+json, or when it has no Content-Type and begins with "{".
//
// A server can echo the request: name its secrets. They read as "[redacted]" in
// all fields, also where they are percent-encoded, escaped for JSON or HTML, in base64
// or hexadecimal. Secrets shorter than 6 bytes are ignored. [Error.Body] and
// [Error.Header] keep what the service sent.
func FromResponse(operation string, statusCode int, header http.Header, body []byte, secrets ...string) *Error {
	keptHeader, keptBody := header.Clone(), bytes.Clone(body[:min(len(body), maxBody)])
	e := &Error{
		Operation:  operation,
		StatusCode: statusCode,
		RetryAfter: retryAfter(header),
		response:   func() (http.Header, []byte) { return keptHeader, keptBody },
	}
	clean := redact.New(secrets...)
	media, _, _ := strings.Cut(strings.ToLower(clean.Text(header.Get("Content-Type"))), ";")
	media = strings.TrimSpace(media)
	isJSON := strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "json")
	var root document
	if isJSON || media == "" {
		root = readDocument(body, clean)
		e.read(root)
	}
	if e.Code == "" && e.Message == "" && e.Authorization == nil {
		e.note = fmt.Sprintf("no error document in %d bytes of %s", len(body), redact.Line(cmp.Or(media, "unknown type"), maxName))
		e.foreign = root == nil && !isJSON && len(body) > 0
	}
	return e
}

// read takes code, message, request ID and requirements from a document, in the order of
// precedence of the Globus SDK for Python.
func (e *Error) read(root document) {
	for _, entry := range root.list("errors") {
		e.Details = append(e.Details, entry.detail())
	}
	parts := e.Details
	if len(parts) == 0 {
		parts = []Detail{root.detail()}
	}
	var codes, messages, ids []string
	for _, part := range parts {
		codes, messages, ids = add(codes, part.Code), add(messages, part.Message), add(ids, part.RequestID)
	}
	if message := root.line("message", maxMessage); root.line("code", maxName) != "" {
		codes = []string{root.line("code", maxName)}
		if message != "" {
			messages = []string{message}
		}
	}
	e.Code, e.RequestID = only(codes), cmp.Or(only(ids), root.line("request_id", maxName))
	e.Message = redact.Line(strings.Join(messages, "; "), maxMessage)
	e.oauthCode = root.line("error", maxName)
	if found := root.requirements(); len(found) > 0 {
		e.requirementCode = found[0].Code
		e.Authorization = &found[0].Parameters
	}
}

// add adds a text that is neither empty nor in the list.
func add(list []string, text string) []string {
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// only returns the one text of a list, "" if there are several.
func only(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return ""
}

// document is a JSON object. A field of an unexpected type does not affect the others.
type document map[string]any

// readDocument returns nil for everything but an object. All texts are without secrets.
func readDocument(body []byte, secrets redact.Secrets) document {
	var root map[string]any
	if len(body) > maxBody || !json.Valid(body) {
		return nil
	}
	_ = json.Unmarshal(body, &root) // numbers beyond float64, and anything but an object, are left out
	redactTexts(root, secrets)
	return root
}

func redactTexts(value any, secrets redact.Secrets) any {
	switch value := value.(type) {
	case string:
		return secrets.Text(value)
	case []any:
		for i, entry := range value {
			value[i] = redactTexts(entry, secrets)
		}
	case map[string]any:
		for name, field := range value {
			value[name] = redactTexts(field, secrets)
		}
	}
	return value
}

// line returns a string field as one printable line, "" for anything else.
func (d document) line(name string, limit int) string {
	text, _ := d[name].(string)
	return redact.Line(text, limit)
}

// list returns the objects among the first entries of a list.
func (d document) list(name string) []document {
	entries, _ := d[name].([]any)
	var list []document
	for _, entry := range entries[:min(len(entries), maxDetails)] {
		if object, ok := entry.(map[string]any); ok {
			list = append(list, object)
		}
	}
	return list
}

// detail reads an entry of the "errors" list, or a document that is itself the error: that of
// another service, or of OAuth2 (RFC 6749 section 5.2).
func (d document) detail() Detail {
	return Detail{
		Code: cmp.Or(d.line("code", maxName), d.line("error", maxName)),
		Message: cmp.Or(d.line("message", maxMessage), d.line("detail", maxMessage), d.line("title", maxMessage),
			d.line("error_description", maxMessage)),
		RequestID: d.line("id", maxName),
	}
}

// retryAfter reads the header Retry-After (RFC 9110 section 10.2.3), seconds or
// a date. A date counts from the response's Date, by the server's own clock.
func retryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	until, _ := http.ParseTime(value) // the zero time is in the past
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
