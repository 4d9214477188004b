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

// CallOption changes one call of an operation, beyond what the spec knows.
// Make one with [WithQuery], [WithHeader], [WithBodyMember], [WithResponse] or
// [WithoutRetryOn].
type CallOption interface{ apply(extras *extras) error }

type optionFunc func(*extras) error

func (f optionFunc) apply(x *extras) error { return f(x) }

// WithQuery adds a parameter to the query, in place of one of the same name.
func WithQuery(name, value string) CallOption {
	return optionFunc(func(x *extras) error {
		x.query = append(x.query, [2]string{name, value})
		return nil
	})
}

// WithHeader sets a header of the request. Authorization is refused: use
// [Client.WithCredentials].
func WithHeader(name, value string) CallOption {
	return optionFunc(func(x *extras) error {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Cookie":
			return fmt.Errorf("WithHeader: %s cannot be set this way", http.CanonicalHeaderKey(name))
		}
		x.header = append(x.header, [2]string{name, value})
		return nil
	})
}

// WithBodyMember adds a field to the body, in place of one of the same name.
// Of a JSON body with an envelope, such as {"client": {...}}, it becomes a
// field of what is inside; value is JSON text. Of a form it becomes a
// parameter; value is then JSON text of a string, number or boolean.
func WithBodyMember(name string, value json.RawMessage) CallOption {
	return optionFunc(func(x *extras) error {
		if !json.Valid(value) {
			return fmt.Errorf("WithBodyMember: the value of %q is not valid JSON", name)
		}
		x.body = append(x.body, member{name, bytes.Clone(value)})
		return nil
	})
}

// WithResponse stores the response, whatever its status, in response. It is left
// alone when no response came.
func WithResponse(response *Response) CallOption {
	return optionFunc(func(x *extras) error {
		if response == nil {
			return errors.New("WithResponse: the response is nil")
		}
		x.response = response
		return nil
	})
}

// WithoutRetryOn returns a response with one of the given statuses at once,
// instead of retrying the request, to a caller that decides itself when to ask again.
func WithoutRetryOn(statuses ...int) CallOption {
	return optionFunc(func(x *extras) error {
		x.noRetry = append(x.noRetry, statuses...)
		return nil
	})
}

type member struct {
	name  string
	value json.RawMessage
}

// extras are the options of one call together.
type extras struct {
	query, header [][2]string
	body          []member
	response      *Response
	noRetry       []int // statuses
}

func collect(opts []CallOption) (extras, error) {
	var x extras
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.apply(&x); err != nil {
			return extras{}, err
		}
	}
	return x, nil
}

// applyTo changes a request that the client itself has just built.
func (x *extras) applyTo(req *http.Request) error {
	if len(x.query) > 0 {
		query := req.URL.Query()
		for _, p := range x.query {
			query.Set(p[0], p[1])
		}
		req.URL.RawQuery = query.Encode()
	}
	for _, h := range x.header {
		req.Header.Set(h[0], h[1])
	}
	if len(x.body) == 0 {
		return nil
	}
	if req.GetBody == nil {
		return errors.New("WithBodyMember: the operation has no body")
	}
	reader, err := req.GetBody()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(reader) //nolint:forbidigo // our own request, in memory
	if err != nil {
		return err
	}
	merge := mergeJSON
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		merge = mergeForm
	}
	if body, err = merge(body, x.body); err != nil {
		return fmt.Errorf("WithBodyMember: %w", err)
	}
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, err = req.GetBody()
	return err
}

func mergeForm(body []byte, members []member) ([]byte, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		text := string(m.value)
		switch text[0] {
		case '{', '[':
			return nil, fmt.Errorf("%q is an object or a list, and the body is a form", m.name)
		case '"':
			if err := json.Unmarshal(m.value, &text); err != nil {
				return nil, err
			}
		}
		form.Set(m.name, text)
	}
	return []byte(form.Encode()), nil
}

func mergeJSON(body []byte, members []member) ([]byte, error) {
	var outer map[string]json.RawMessage
	if err := json.Unmarshal(body, &outer); err != nil {
		return nil, err
	}
	if len(outer) == 1 {
		for name, value := range outer {
			var inner map[string]json.RawMessage
			if json.Unmarshal(value, &inner) != nil || inner == nil {
				break
			}
			for _, m := range members {
				inner[m.name] = m.value
			}
			envelope, err := json.Marshal(inner)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]json.RawMessage{name: envelope})
		}
	}
	for _, m := range members {
		outer[m.name] = m.value
	}
	return json.Marshal(outer)
}
