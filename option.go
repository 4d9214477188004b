package globusauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// CallOption changes one call of an operation beyond what the spec describes.
// Make one with [WithQuery], [WithHeader], [WithBodyField], [WithResponse],
// [WithSecrets] or [WithoutRetryOn].
type CallOption func(x *exchange) error

// WithQuery sets a parameter of the query.
func WithQuery(name, value string) CallOption {
	return func(x *exchange) error {
		query := x.req.URL.Query()
		query.Set(name, value)
		x.req.URL.RawQuery = query.Encode()
		return nil
	}
}

// WithHeader sets a header of the request. Authorization is refused: use
// [Client.WithCredentials].
func WithHeader(name, value string) CallOption {
	return func(x *exchange) error {
		switch name = http.CanonicalHeaderKey(name); name {
		case "Authorization", "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Cookie":
			return fmt.Errorf("WithHeader: cannot set %s", name)
		}
		x.req.Header.Set(name, value)
		return nil
	}
}

// WithBodyField sets a field of the body; value is JSON text. In a JSON body with
// an envelope, such as {"client": {...}}, the field goes inside the envelope. In a
// form it becomes a parameter, and value is JSON text of a string, number or
// boolean; a parameter that the form already has is refused.
func WithBodyField(name string, value json.RawMessage) CallOption {
	return func(x *exchange) error {
		switch {
		case !json.Valid(value):
			return fmt.Errorf("WithBodyField: the value of %q is not valid JSON", name)
		case x.req.GetBody == nil:
			return errors.New("WithBodyField: the operation has no body")
		}
		reader, err := x.req.GetBody()
		if err != nil {
			return err
		}
		body, err := io.ReadAll(reader) //nolint:forbidigo // the client's own request, in memory
		if err != nil {
			return err
		}
		set := setJSON
		if x.req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			set = x.setForm
		}
		if body, err = set(body, name, bytes.TrimSpace(value)); err != nil {
			return fmt.Errorf("WithBodyField: %w", err)
		}
		x.req.ContentLength = int64(len(body))
		x.req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		return nil
	}
}

// setForm counts the value as secret. It replaces no parameter: the retries of a
// token request depend on its grant.
func (x *exchange) setForm(body []byte, name string, value json.RawMessage) ([]byte, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	text := string(value)
	switch {
	case form.Has(name):
		return nil, fmt.Errorf("the form already has %q", name)
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return nil, fmt.Errorf("%q is an object or a list, and the body is a form", name)
	case strings.HasPrefix(text, `"`):
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, err
		}
	}
	x.secrets = append(x.secrets, text)
	form.Set(name, text)
	return []byte(form.Encode()), nil
}

func setJSON(body []byte, name string, value json.RawMessage) ([]byte, error) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, err
	}
	for envelope, content := range document {
		var inner map[string]json.RawMessage
		if len(document) > 1 || json.Unmarshal(content, &inner) != nil || inner == nil {
			break
		}
		inner[name] = value
		content, err := json.Marshal(inner)
		if err != nil {
			return nil, err
		}
		name, value = envelope, content
	}
	document[name] = value
	return json.Marshal(document)
}

// WithResponse stores the response in response, whatever its status. Without a
// response it stores nothing.
func WithResponse(response *Response) CallOption {
	return func(x *exchange) error {
		if response == nil {
			return errors.New("WithResponse: the response is nil")
		}
		x.copyTo = response
		return nil
	}
}

// WithSecrets keeps texts out of the error of the call, besides what it sends: a server
// can echo secrets that it was told earlier.
func WithSecrets(secrets ...string) CallOption {
	return func(x *exchange) error {
		x.secrets = append(x.secrets, secrets...)
		return nil
	}
}

// WithoutRetryOn does not retry after a response with one of the given statuses,
// for callers with their own retries.
func WithoutRetryOn(statuses ...int) CallOption {
	return func(x *exchange) error {
		x.noRetry = append(x.noRetry, statuses...)
		return nil
	}
}
