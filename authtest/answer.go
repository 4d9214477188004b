package authtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/globusauth/globusauth/internal/server"
)

// reply returns a JSON answer with status 200. The document must not share memory with the state
// of the server: it is encoded after the lock was given back.
func reply(document any) server.Answer {
	return func(w http.ResponseWriter) error {
		body, err := json.Marshal(document)
		if err != nil {
			return fmt.Errorf("authtest: encode the answer: %w", err)
		}
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		_, err = w.Write(body)
		return err
	}
}

// ok is a reply as operations return it.
func ok(document any) (server.Answer, error) { return reply(document), nil }

// redirect sends a browser on.
func redirect(location string, cookies ...*http.Cookie) server.Answer {
	return func(w http.ResponseWriter) error {
		for _, cookie := range cookies {
			http.SetCookie(w, cookie)
		}
		w.Header().Set("Location", location)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusFound)
		return nil
	}
}

// orNull returns nil, and so null in JSON, for an empty string.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// orEmpty returns an empty list for nil, and a copy of any other.
func orEmpty(list []string) []string { return append([]string{}, list...) }
