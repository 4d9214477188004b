package authtest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
)

// inProcess calls a handler in place of sending a request.
type inProcess struct{ handler http.Handler }

// RoundTrip calls the handler. A connection that a fault drops is an error: of the
// request, or of reading the body where the response has begun.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	received := r.Clone(r.Context())
	received.RequestURI = r.URL.RequestURI()
	if received.Host == "" {
		received.Host = r.URL.Host
	}
	if r.Body == nil {
		received.Body = http.NoBody
	} else {
		defer r.Body.Close() //nolint:errcheck // Nothing depends on it.
	}
	recorder := httptest.NewRecorder()
	dropped := t.call(recorder, received)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if dropped && !recorder.Flushed { // faults flush what they send
		return nil, io.ErrUnexpectedEOF
	}
	response := recorder.Result()
	response.Request = r
	if dropped {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(response.Body, cutOff{}), response.Body}
	}
	return response, nil
}

// call reports whether the handler dropped the connection.
func (t inProcess) call(w http.ResponseWriter, r *http.Request) (dropped bool) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case error:
			if !errors.Is(failure, http.ErrAbortHandler) {
				panic(failure)
			}
			dropped = true
		default:
			panic(failure)
		}
	}()
	t.handler.ServeHTTP(w, r)
	return false
}

// cutOff is the end of a body whose connection broke.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
