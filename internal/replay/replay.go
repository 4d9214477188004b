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
	if req.GetBody == nil {
		return again, req.Body == nil || req.Body == http.NoBody
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err == nil
}

// Drop closes the body of a request that is not sent, as an http.RoundTripper must.
func Drop(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
