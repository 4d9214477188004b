package login

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
)

// Failure is why a [Web] does not serve a request, in words for the person.
type Failure struct {
	// Status is the HTTP status of the response.
	Status int
	// Title and Message are plain text without any details.
	Title, Message string
	// Link is the path and query to which the page links, and LinkText the text of the
	// link: the address that starts the same login again, with its parameters, or where
	// that is not known Home.
	Link, LinkText string
	// RetryAfter is how long the service asks to wait; zero means that it does not say.
	RetryAfter time.Duration
	// Err is the reason, for a log. It holds no secret.
	Err error
}

func failure(status int, title, message string, err error) Failure {
	return Failure{Status: status, Title: title, Message: message, Err: err}
}

var (
	errLogin = errors.New("login: a login is required")
	errEnded = errors.New("the session in which it began has ended")
	errNext  = errors.New("login: start: the parameter next is not a path of this site, or too long")
)

// unavailable is a login that the portal itself cannot go on with now.
func unavailable(err error) Failure {
	return failure(http.StatusServiceUnavailable, "The login does not work right now", "This site has a problem. Please try again in a moment.", err)
}

// notKept is a login whose session cannot begin.
func notKept(err error) Failure { return unavailable(fmt.Errorf("login: keep the session: %w", err)) }

// notLinked refuses an account that cannot be added to the session.
func notLinked(err error) Failure {
	return failure(http.StatusForbidden, "The account was not linked", "Please go back to this site and try again.", fmt.Errorf("login: link account: %w", err))
}

// explain says why a login could not be finished: a failure of the service, of the
// client's registration, or a refusal.
func explain(err error) Failure {
	response, known := errors.AsType[*apierror.Error](err)
	_, check := errors.AsType[flows.CheckError](err)
	switch {
	case errors.Is(err, apierror.ErrInvalidClient), errors.Is(err, apierror.ErrUnauthorizedClient), errors.Is(err, apierror.ErrInvalidScope):
		return failure(http.StatusInternalServerError, "The login is not set up correctly",
			"The registration with Globus needs attention by those who run this site or program.", err)
	case errors.Is(err, apierror.ErrInvalidGrant), check:
		return failure(http.StatusForbidden, "The login could not be verified",
			"It took too long, was used before, or does not belong to this browser.", err)
	case known && response.StatusCode == 0 && !errors.Is(err, apierror.ErrServer):
		return failure(http.StatusForbidden, "You are not logged in", "The login was canceled, or Globus denied it.", err)
	}
	f := failure(http.StatusBadGateway, "Globus cannot complete the login right now",
		"Its service did not respond as it should. Please try again in a moment.", err)
	if known && (response.RetryAfter > 0 || response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusTooManyRequests) {
		f.Status, f.RetryAfter = http.StatusServiceUnavailable, response.RetryAfter
	}
	return f
}

// fail responds to a request that is not served, with a link to what started the login.
func (web *Web) fail(w http.ResponseWriter, r *http.Request, f Failure, start string) {
	web.config.OnError(r, f.Err)
	secureHeader(w.Header())
	if f.Link, f.LinkText = start, "Log in again"; start == "" {
		f.Link, f.LinkText = web.config.Home, "Continue"
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	switch {
	case web.config.Fail != nil:
		web.config.Fail(w, r, f)
	case wantsJSON(r):
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": f.Status, "title": f.Title, "detail": f.Message})
	default:
		showPage(w, f)
	}
}

// wantsJSON reports whether a program asks that shows no pages, or a script of a page by
// fetch.
func wantsJSON(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Dest") == "empty" {
		return true
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// showPage responds with a page that holds nothing but the texts of f and its link.
func showPage(w http.ResponseWriter, f Failure) {
	sum := sha256.Sum256([]byte(pageStyle))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	secureHeader(header)
	fill := strings.NewReplacer("{style}", pageStyle, "{title}", html.EscapeString(f.Title), "{message}", html.EscapeString(f.Message),
		"{link}", html.EscapeString(f.Link), "{linkText}", html.EscapeString(f.LinkText))
	page := fill.Replace(pageText)
	header.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, page)
}

// secureHeader is for every response: the address of a callback holds a code.
func secureHeader(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}
