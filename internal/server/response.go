// Package server is the interface of Globus Auth for a server, generated from the
// API's description, for the test double. Its types tell null, empty and absent
// apart in both directions.
package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Response is a response that writes itself.
type Response func(w http.ResponseWriter) error

// JSON returns a response with status 200. The document must not share memory
// with the state of the server: it is encoded after the lock was released.
func JSON(document any) Response { return JSONStatus(http.StatusOK, document) }

// JSONStatus is [JSON] with another status.
func JSONStatus(status int, document any) Response {
	return func(w http.ResponseWriter) error {
		body, err := json.Marshal(document)
		if err != nil {
			return fmt.Errorf("authtest: encode the response: %w", err)
		}
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, err = w.Write(body)
		return err
	}
}
