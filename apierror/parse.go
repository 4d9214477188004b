package apierror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/redact"
)

// FromResponse reads the response to a failed operation. It never fails: whatever
// cannot be parsed leaves its fields empty. operation names the attempted operation.
// header and body are copied; at most 1 MiB of the body is kept, and a longer body is
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
	e.readBody(mediaType(clean.Text(header.Get("Content-Type"))), body, clean)
	return e
}

// readBody leaves a note for operators if the body has no error document.
func (e *Error) readBody(media string, body []byte, secrets redact.Secrets) {
	size := ", " + strconv.Itoa(len(body)) + " bytes"
	switch first := kind(body); {
	case first == 0:
		e.note = "empty response"
	case media == "" && first != '{':
		e.note, e.foreign = "response has no content type"+size, true
	case !isJSON(media):
		e.note, e.foreign = "response is "+redact.Line(media, maxName)+size, true
	case len(body) > maxBody:
		e.note = "response is too long" + size
	default:
		root := readObject(body, secrets)
		e.read(root, media == "application/vnd.api+json")
		switch {
		case root.fields == nil:
			e.note = "response is not a JSON object" + size
		case e.Code == "" && e.Message == "" && e.Authorization == nil:
			e.note = "response has no code and no message" + size
		}
	}
}

// read takes code, message, request ID and requirements from a document. The
// order of precedence is that of the Globus SDK for Python, with the OAuth2
// fields used where that finds nothing.
func (e *Error) read(root object, jsonAPI bool) {
	documents := root.list("errors")
	for _, document := range documents {
		e.Details = append(e.Details, document.detail(jsonAPI))
	}
	parts := e.Details
	if len(parts) == 0 {
		parts = []Detail{root.detail(false)}
	}
	_, hasCode := root.text("code")
	_, hasMessage := root.text("message")
	e.Code, e.Message = common(parts, Detail.code), joinMessages(parts)
	if fromRoot := hasCode && (!jsonAPI || len(documents) == 0); fromRoot {
		e.Code = root.line("code", maxName)
		if hasMessage {
			e.Message, e.RequestID = root.line("message", maxMessage), root.line("request_id", maxName)
		}
	}
	e.RequestID = cmp.Or(common(parts, Detail.requestID), e.RequestID)

	e.oauthCode = root.line("error", maxName)
	if len(documents) == 0 {
		e.Code = cmp.Or(e.Code, e.oauthCode)
		e.Message = cmp.Or(e.Message, root.line("error_description", maxMessage))
	}

	if found := requirements(root, documents, 1); len(found) > 0 {
		e.requirementCode = found[0].Code
		e.Authorization = &found[0].Parameters
	}
}

func (d Detail) code() string      { return d.Code }
func (d Detail) requestID() string { return d.RequestID }

// common returns the value of a field if it is the same in all details that have it.
func common(details []Detail, field func(Detail) string) string {
	var found string
	for _, detail := range details {
		value := field(detail)
		if value != "" && found != "" && value != found {
			return ""
		}
		found = cmp.Or(value, found)
	}
	return found
}

func joinMessages(details []Detail) string {
	var messages []string
	for _, detail := range details {
		if detail.Message != "" {
			messages = append(messages, detail.Message)
		}
	}
	return redact.Line(strings.Join(messages, "; "), maxMessage)
}

// object is a JSON object whose fields are read one by one, so that a field of an
// unexpected type does not affect the others. All its texts are read without secrets.
type object struct {
	fields  map[string]json.RawMessage
	secrets redact.Secrets
}

// readObject returns an object without fields for everything but an object.
func readObject(raw []byte, secrets redact.Secrets) object {
	o := object{secrets: secrets}
	if kind(raw) != '{' || json.Unmarshal(raw, &o.fields) != nil {
		o.fields = nil
	}
	return o
}

// text returns a string field, and whether there is one.
func (o object) text(name string) (string, bool) { return o.readText(o.fields[name]) }

func (o object) readText(raw json.RawMessage) (string, bool) {
	var text string
	if kind(raw) != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return o.secrets.Text(text), true
}

// readTexts reads a list of strings and nothing else.
func (o object) readTexts(raw json.RawMessage) ([]string, bool) {
	texts := []string{}
	for _, entry := range readList(raw) {
		text, ok := o.readText(entry)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, kind(raw) == '['
}

// line returns a string field as one printable line, "" for anything else.
func (o object) line(name string, limit int) string {
	text, _ := o.text(name)
	return redact.Line(text, limit)
}

// list returns the first entries of a list of objects; nil for anything else.
func (o object) list(name string) []object {
	raws := readList(o.fields[name])
	if slices.ContainsFunc(raws, func(raw json.RawMessage) bool { return kind(raw) != '{' }) {
		return nil
	}
	var objects []object
	for _, raw := range raws[:min(len(raws), maxDetails)] {
		objects = append(objects, readObject(raw, o.secrets))
	}
	return objects
}

func (o object) detail(jsonAPI bool) Detail {
	message := "title"
	for _, name := range []string{"detail", "message"} {
		if _, ok := o.text(name); ok && (!jsonAPI || name != "message") {
			message = name
		}
	}
	return Detail{Code: o.line("code", maxName), Message: o.line(message, maxMessage), RequestID: o.line("id", maxName)}
}

// readList returns nil for everything but a list.
func readList(raw json.RawMessage) []json.RawMessage {
	var entries []json.RawMessage
	if kind(raw) != '[' || json.Unmarshal(raw, &entries) != nil {
		return nil
	}
	return entries
}

// kind is the first character of a JSON value, 0 for none.
func kind(raw []byte) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// isJSON accepts a missing media type too.
func isJSON(media string) bool {
	subtype, ok := strings.CutPrefix(media, "application/")
	return media == "" || ok && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// retryAfter reads the header Retry-After (RFC 9110 section 10.2.3), seconds or
// a date. A date counts from the response's Date, by the server's own clock.
func retryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, untilErr := http.ParseTime(value)
	now, nowErr := http.ParseTime(header.Get("Date"))
	if untilErr != nil || nowErr != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
