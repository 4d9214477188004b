// Package replay sends an HTTP request once more.
package replay

import (
	"context"
	"net/http"
)

// Request returns a copy of a request with a context and the body from the start. It
// reports false if the body cannot be read again (http.Request.GetBody). The caller sends the copy or calls [Drop].
func Request(ctx context.Context, req *http.Request) (*http.Request, bool) {
	again := req.Clone(ctx)
	if req.Body == nil || req.Body == http.NoBody {
		return again, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = body
	return again, true
}

// Drop closes the body of a request that is not sent, as an http.RoundTripper must.
func Drop(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
