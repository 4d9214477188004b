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
// A server can echo the request: call [Error.Redact] with the secrets of the
// request.
func FromResponse(operation string, statusCode int, header http.Header, body []byte) *Error {
	keptHeader, keptBody := header.Clone(), bytes.Clone(body[:min(len(body), maxBody)])
	e := &Error{
		Operation:  operation,
		StatusCode: statusCode,
		RetryAfter: retryAfter(header),
		response:   func() (http.Header, []byte) { return keptHeader, keptBody },
	}
	e.readBody(mediaType(header), body)
	return e
}

// readBody leaves a note for operators if the body has no error document.
func (e *Error) readBody(media string, body []byte) {
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
		root := readObject(body)
		e.read(root, media == "application/vnd.api+json")
		switch {
		case root == nil:
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
	if fromRoot := hasCode && !(jsonAPI && len(documents) > 0); fromRoot {
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
// unexpected type does not affect the others.
type object map[string]json.RawMessage

// readObject returns nil for everything but an object.
func readObject(raw []byte) object {
	var o object
	if kind(raw) != '{' || json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

// text returns a string field, and whether there is one.
func (o object) text(name string) (string, bool) {
	return readText(o[name])
}

// line returns a string field as one printable line, "" for anything else.
func (o object) line(name string, limit int) string {
	text, _ := o.text(name)
	return redact.Line(text, limit)
}

// list returns the first entries of a list of objects; nil for anything else.
func (o object) list(name string) []object {
	raws := readList(o[name])
	if slices.ContainsFunc(raws, func(raw json.RawMessage) bool { return kind(raw) != '{' }) {
		return nil
	}
	var objects []object
	for _, raw := range raws[:min(len(raws), maxDetails)] {
		objects = append(objects, readObject(raw))
	}
	return objects
}

func (o object) detail(jsonAPI bool) Detail {
	message := "title"
	for _, name := range []string{"detail", "message"} {
		if _, ok := o.text(name); ok && !(jsonAPI && name == "message") {
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

func readText(raw json.RawMessage) (string, bool) {
	var text string
	if kind(raw) != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}

// kind is the first character of a JSON value, 0 for none.
func kind(raw []byte) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

func mediaType(header http.Header) string {
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
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
