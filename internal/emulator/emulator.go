// Package emulator makes a service of a test double: the control API for tests in
// other languages, the dashboard, and the reference of the API. It uses nothing but
// what package authtest exports.
package emulator

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/docs/api"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/spec"
)

// emulator is a test double with the parts that only a running service needs.
type emulator struct {
	*authtest.Server
	forms *pages.Forms
}

// Handler serves a test double with the control API and the dashboard.
func Handler(server *authtest.Server) http.Handler {
	e := &emulator{Server: server, forms: pages.NewForms()}
	mux := http.NewServeMux()
	mux.Handle("/", server.Handler())
	mux.HandleFunc("GET /{$}", e.showDashboard)
	mux.HandleFunc("POST /{$}", e.submitDashboard)
	e.addControl(mux)
	mux.HandleFunc("GET /_authtest/auth.openapi.yaml", file("application/yaml", []byte(spec.Document())))
	mux.HandleFunc("GET /_authtest/reference", func(w http.ResponseWriter, r *http.Request) {
		// The scripts of the page can load nothing and send nothing: the page itself
		// says so, and this says who may frame it.
		w.Header().Set("Content-Security-Policy", "connect-src 'none'; frame-ancestors 'none'")
		file("text/html; charset=utf-8", api.Page())(w, r)
	})
	return e.guardHost(mux)
}

func file(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content) // the client went away
	}
}

// guardHost refuses requests whose Host header names another site: a web page
// whose name resolves to this machine (DNS rebinding) could have the browser send
// them, and read the responses.
func (e *emulator) guardHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !e.serves(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "The Host header is neither a loopback name nor the host of "+e.BaseURL()+
				"; set BaseURL (--public-url) to the address that clients use")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serves reports whether the emulator is meant to be reached by a host, with any port.
func (e *emulator) serves(host string) bool {
	name := hostname(host)
	if base, err := url.Parse(e.BaseURL()); err == nil && name != "" && name == hostname(base.Host) {
		return true
	}
	return origin.Loopback(name)
}

// hostname returns a host without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// fail writes an error document as the service does.
func fail(w http.ResponseWriter, status int, detail string) {
	title := http.StatusText(status)
	name := strings.ToLower(strings.ReplaceAll(title, " ", "_"))
	_ = server.JSONStatus(status, server.ErrorDocument{Error: name, ErrorDescription: title, Errors: []server.ErrorDetail{{
		Status: strconv.Itoa(status), ID: rand.Text(), Code: strings.ToUpper(name), Title: title, Detail: detail,
	}}})(w) // the client went away
}
