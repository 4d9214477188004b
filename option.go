package globusauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// CallOption changes one call of an operation beyond what the spec describes.
// Make one with [WithQuery], [WithBodyField], [WithResponse], [WithSecrets] or
// [WithoutRetryOn].
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

// WithBodyField sets a field of the body. In a JSON body with an envelope, such as
// {"client": {...}}, the field goes inside the envelope. In a form it becomes a parameter, text as it is
// and other values as JSON, which counts as a secret: a parameter that the form already has is refused, since the retries of a
// token request depend on its grant.
func WithBodyField(name string, value any) CallOption {
	return func(x *exchange) error {
		if x.req.GetBody == nil {
			return errors.New("WithBodyField: the operation has no body")
		}
		reader, _ := x.req.GetBody()
		body, err := io.ReadAll(reader) //nolint:forbidigo // the client's own request, in memory
		if err != nil {
			return err
		}
		set := setJSON
		if x.req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			set = x.setForm
		}
		if body, err = set(body, name, value); err != nil {
			return fmt.Errorf("WithBodyField: %w", err)
		}
		x.req.ContentLength = int64(len(body))
		x.req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		x.req.Body, err = x.req.GetBody() // an empty form had none
		return err
	}
}

func (x *exchange) setForm(body []byte, name string, value any) ([]byte, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	if form.Has(name) {
		return nil, fmt.Errorf("the form already has %q", name)
	}
	text, ok := value.(string)
	if !ok {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	form.Set(name, text)
	x.secrets = append(x.secrets, text)
	return []byte(form.Encode()), nil
}

func setJSON(body []byte, name string, value any) ([]byte, error) {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a number stays as it was given
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	inside := document
	for _, content := range document {
		if envelope, ok := content.(map[string]any); ok && len(document) == 1 {
			inside = envelope
		}
	}
	inside[name] = value
	return json.Marshal(document)
}

// WithResponse calls received with the response, whatever its status, if there is one. Header and body
// can contain secrets.
func WithResponse(received func(status int, header http.Header, body []byte)) CallOption {
	return func(x *exchange) error {
		x.received = received
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
