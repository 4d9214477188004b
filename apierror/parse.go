package apierror

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/redact"
)

// FromResponse reads the response to a failed operation. It never fails: whatever
// cannot be understood leaves its fields empty. operation says in words what was
// attempted. header and body are copied; of the body at most 1 MiB is kept, and
// a longer one is not read.
//
// A body is read as JSON when its Content-Type is application/json or
// application/*+json, or when it has no Content-Type and begins with "{".
//
// A server can send back what it was sent: call [Error.Redact] with the secrets
// of the request.
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

// readBody leaves a note for operators when the body says nothing.
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
		if root == nil {
			e.note = "response is not a JSON object" + size
			return
		}
		e.read(root, media == "application/vnd.api+json")
		if e.Code == "" && e.Message == "" && e.Authorization == nil {
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
	code, codeOK := root.text("code")
	message, messageOK := root.text("message")
	switch {
	case jsonAPI && len(documents) > 0:
		e.Code, e.Message = common(parts, Detail.code), joinMessages(parts)
	case codeOK && messageOK:
		e.Code, e.Message = redact.Line(code, maxName), redact.Line(message, maxMessage)
		id, _ := root.text("request_id")
		e.RequestID = redact.Line(id, maxName)
	default:
		if e.Code = redact.Line(code, maxName); !codeOK {
			e.Code = common(parts, Detail.code)
		}
		e.Message = joinMessages(parts)
	}
	if id := common(parts, Detail.requestID); id != "" {
		e.RequestID = id
	}

	e.oauthCode, _ = root.text("error")
	e.oauthCode = redact.Line(e.oauthCode, maxName)
	if len(documents) == 0 {
		if e.Code == "" {
			e.Code = e.oauthCode
		}
		if e.Message == "" {
			description, _ := root.text("error_description")
			e.Message = redact.Line(description, maxMessage)
		}
	}

	if found := requirements(root, documents, 1); len(found) > 0 {
		e.requirementCode = found[0].Code
		e.Authorization = &found[0].Parameters
	}
}

func (d Detail) code() string      { return d.Code }
func (d Detail) requestID() string { return d.RequestID }

// common returns the one value that all details which have any agree on.
func common(details []Detail, field func(Detail) string) string {
	var found string
	for _, detail := range details {
		switch value := field(detail); {
		case value == "" || value == found:
		case found != "":
			return ""
		default:
			found = value
		}
	}
	return found
}

func joinMessages(details []Detail) string {
	var b strings.Builder
	for _, detail := range details {
		if detail.Message == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(detail.Message)
		if b.Len() > maxMessage {
			break
		}
	}
	return redact.Line(b.String(), maxMessage)
}

// object is a JSON object whose fields are looked at one by one, so that a
// field of an unexpected type spoils nothing else.
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

// list returns a field that is a list of objects, the first ones of it; nil for
// anything else.
func (o object) list(name string) []object {
	var raws []json.RawMessage
	if kind(o[name]) != '[' || json.Unmarshal(o[name], &raws) != nil {
		return nil
	}
	for _, raw := range raws {
		if kind(raw) != '{' {
			return nil
		}
	}
	raws = raws[:min(len(raws), maxDetails)]
	objects := make([]object, len(raws))
	for i, raw := range raws {
		objects[i] = readObject(raw)
	}
	return objects
}

func (o object) detail(jsonAPI bool) Detail {
	code, _ := o.text("code")
	id, _ := o.text("id")
	names := []string{"message", "detail", "title"}
	if jsonAPI {
		names = names[1:]
	}
	var message string
	for _, name := range names {
		if text, ok := o.text(name); ok {
			message = text
			break
		}
	}
	return Detail{
		Code:      redact.Line(code, maxName),
		Message:   redact.Line(message, maxMessage),
		RequestID: redact.Line(id, maxName),
	}
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

// isJSON also takes no media type at all for JSON.
func isJSON(media string) bool {
	subtype, ok := strings.CutPrefix(media, "application/")
	return media == "" || ok && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// retryAfter reads the header Retry-After (RFC 9110 section 10.2.3), seconds or
// a date. A date is compared with the response's Date: the server's own clock is
// the only one that cannot be wrong about it.
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
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
