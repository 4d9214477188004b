package login

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
)

// Failure is why a [Web] does not serve a request, in words for the person.
type Failure struct {
	// Status is the HTTP status of the response.
	Status int
	// Title and Message are plain text without any details.
	Title, Message string
	// Link is the path and query of this site to go on from, LinkText what it says: the
	// address that starts the same login again, with its parameters, where it is
	// known. Empty means that there is none.
	Link, LinkText string
	// RetryAfter is how long the service asks to wait; zero means that it does not say.
	RetryAfter time.Duration
	// Err is the reason, for a log. It holds no secret.
	Err error
}

// unavailable is a login that the portal itself cannot go on with now.
func unavailable(start string, err error) Failure {
	return Failure{
		Status: http.StatusServiceUnavailable, Title: "The login could not be completed", Link: start,
		Message: "This site has a problem right now. Please try again in a moment.", Err: err,
	}
}

// explain says why a login could not be finished: a failure of the service, of the
// client's registration, or a refusal.
func explain(err error) Failure {
	f := Failure{Err: err}
	response, known := errors.AsType[*apierror.Error](err)
	_, check := errors.AsType[flows.CheckError](err)
	_, idCheck := errors.AsType[idtoken.CheckError](err)
	if known {
		f.RetryAfter = response.RetryAfter
	}
	switch {
	case errors.Is(err, apierror.ErrInvalidClient), errors.Is(err, apierror.ErrUnauthorizedClient), errors.Is(err, apierror.ErrInvalidScope):
		f.Status, f.Title = http.StatusInternalServerError, "The login is not set up correctly"
		f.Message = "The registration with Globus needs attention by those who run this site or program."
	case errors.Is(err, apierror.ErrInvalidGrant), check, idCheck:
		f.Status, f.Title = http.StatusForbidden, "The login could not be verified"
		f.Message = "It took too long, was used before, or does not belong to this browser."
	case known && response.StatusCode == 0 && !errors.Is(err, apierror.ErrServer):
		f.Status, f.Title = http.StatusForbidden, "You are not logged in"
		f.Message = "The login was canceled, or Globus denied it."
	default:
		f.Status, f.Title = http.StatusBadGateway, "Globus cannot complete the login right now"
		f.Message = "Its service did not respond as it should. Please try again in a moment."
		if f.RetryAfter > 0 || known && (response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusTooManyRequests) {
			f.Status = http.StatusServiceUnavailable
		}
	}
	return f
}

// fail responds to a request that is not served.
func (web *Web) fail(w http.ResponseWriter, r *http.Request, f Failure) {
	web.report(r, f.Err)
	if f.Link != "" && f.LinkText == "" {
		f.LinkText = "Log in again"
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

// wantsJSON reports whether a program asks that shows no pages.
func wantsJSON(r *http.Request) bool {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
