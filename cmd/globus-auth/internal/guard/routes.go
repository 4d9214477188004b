package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/globusauth/globusauth/resourceserver"
)

// table finds the route of a request.
type table struct {
	mux      *http.ServeMux
	routes   map[string]int // by pattern
	handlers []http.Handler // of the routes
}

// errAmbiguous is the response to a request that programs read in different ways.
func errAmbiguous() error {
	return &resourceserver.DeniedError{Status: http.StatusBadRequest, Code: "invalid_request", Message: "the method or path of the request is not in its canonical form", Rule: "path"}
}

func errNoRoute() error {
	return &resourceserver.DeniedError{Status: http.StatusForbidden, Code: "Forbidden", Message: "no route matches the request", Rule: "route"}
}

func errReserved() error {
	return &resourceserver.DeniedError{Status: http.StatusBadRequest, Code: "invalid_request", Message: "the request has a header that only the guard may set, or one that replaces its method or path", Rule: "header"}
}

// newTable checks the routes and returns a table without handlers.
func newTable(routes []Route) (*table, error) {
	t := &table{mux: http.NewServeMux(), routes: map[string]int{}}
	configured := map[string]bool{}
	for _, route := range routes {
		configured[route.Pattern] = true
	}
	for i, route := range routes {
		if _, err := route.compile(); err != nil {
			return nil, routeError(route, err)
		}
		method, target := split(route.Pattern)
		if !strings.HasPrefix(target, "/") || method != strings.ToUpper(method) {
			return nil, routeError(route, errors.New("use a path such as /jobs/, or a method and a path such as GET /jobs/{id}"))
		}
		if err := t.register(route.Pattern, i); err != nil {
			return nil, routeError(route, err)
		}
	}
	for i, route := range routes {
		alias := route.withSlash()
		_, target := split(route.Pattern)
		if alias == "" || configured[alias] || configured[strings.TrimSuffix(alias, "{$}")] || configured[target+"/"] {
			continue
		}
		if err := t.register(alias, i); err != nil {
			return nil, routeError(route, fmt.Errorf("with a slash at its end, the path belongs to another route too; end the pattern with a slash: %w", err))
		}
	}
	return t, nil
}

// split returns the method, if any, and the path of a pattern.
func split(pattern string) (method, target string) {
	method, target, found := strings.Cut(pattern, " ")
	if !found {
		return "", pattern
	}
	return method, strings.TrimLeft(target, " \t")
}

// withSlash is the pattern for the path with a slash at its end, empty if the pattern has one. Many programs
// treat /admin/ as /admin: it must not fall to a less specific route.
func (r *Route) withSlash() string {
	if strings.HasSuffix(r.Pattern, "/") || strings.HasSuffix(r.Pattern, "/{$}") || strings.HasSuffix(r.Pattern, "...}") {
		return ""
	}
	return r.Pattern + "/{$}"
}

// registeredAt is the part of ServeMux's messages about the source of this program.
var registeredAt = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` \(registered at [^)]*\)`) })

// register adds a pattern; ServeMux panics if it is invalid or conflicts with another.
func (t *table) register(pattern string, route int) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			text, _, _ := strings.Cut(fmt.Sprint(problem), "\n")
			err = errors.New(registeredAt().ReplaceAllString(text, ""))
		}
	}()
	t.mux.Handle(pattern, http.NotFoundHandler())
	t.routes[pattern] = route
	return nil
}

// protect sets the handlers of all routes.
func (t *table) protect(routes []Route, api *resourceserver.API, next http.Handler) error {
	for _, route := range routes {
		rules, err := route.compile()
		if err != nil {
			return routeError(route, err)
		}
		handler, err := protect(api, next, rules, route.Optional)
		if err != nil {
			return routeError(route, err)
		}
		t.handlers = append(t.handlers, handler)
	}
	return nil
}

// protect is Protect or Optional with an error instead of a panic.
func protect(api *resourceserver.API, next http.Handler, rules []resourceserver.Rule, optional bool) (handler http.Handler, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	if optional {
		return api.Optional(next, rules...), nil
	}
	return api.Protect(next, rules...), nil
}

// find returns the handler of the route for a method and request target (RFC 9112 section 3.2.1).
func (t *table) find(method, target string) (http.Handler, error) {
	location, err := canonical(method, target)
	if err != nil {
		return nil, err
	}
	_, pattern := t.mux.Handler(&http.Request{Method: method, URL: location})
	route, ok := t.routes[pattern]
	if !ok {
		return nil, errNoRoute()
	}
	return t.handlers[route], nil
}

// canonical returns the path of a request target. A path that a proxy and a program may read in different
// ways is an error: one with empty segments or dots, encoded slashes, backslashes, path parameters (;),
// doubly encoded characters, fragments or control characters.
func canonical(method, target string) (*url.URL, error) {
	raw, _, _ := strings.Cut(target, "?")
	location, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(raw, "/") || location.Host != "" || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return nil, errAmbiguous()
	}
	decoded := location.Path
	clean := path.Clean(decoded)
	if strings.HasSuffix(decoded, "/") && clean != "/" {
		clean += "/"
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if clean != decoded || strings.Contains(strings.ToLower(raw), "%2f") || strings.ContainsAny(decoded, `\;%#?`) ||
		strings.ContainsFunc(decoded, control) || !utf8.ValidString(decoded) {
		return nil, errAmbiguous()
	}
	return &url.URL{Path: decoded}, nil
}
