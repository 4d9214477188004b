package authtest

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
)

// problem is an error that is sent to the client as a document.
type problem struct {
	status     int
	code       string // of the errors document; empty: OAuth form only
	title      string
	detail     string
	oauth      string // field "error"
	parameters server.AuthorizationParameters
	unapproved []string
}

func (p *problem) Error() string { return cmp.Or(p.detail, p.oauth) }

// oauthProblem is an error of RFC 6749 section 5.2.
func oauthProblem(code, description string) *problem {
	return &problem{status: http.StatusBadRequest, oauth: code, detail: description}
}

// invalidGrant is the error for a code or token that is invalid, already used or
// another client's.
// The service gives no description.
func invalidGrant() *problem { return oauthProblem("invalid_grant", "") }

// statusProblem is an error whose code and title are those of its status.
func statusProblem(status int, detail string) *problem {
	title := http.StatusText(status)
	name := strings.ToLower(strings.ReplaceAll(title, " ", "_"))
	return &problem{status: status, code: strings.ToUpper(name), title: title, oauth: name, detail: detail}
}

func unauthorized(detail string) *problem { return statusProblem(http.StatusUnauthorized, detail) }
func forbidden(detail string) *problem    { return statusProblem(http.StatusForbidden, detail) }
func notFound(detail string) *problem     { return statusProblem(http.StatusNotFound, detail) }
func conflict(detail string) *problem     { return statusProblem(http.StatusConflict, detail) }

func badRequest(detail string) *problem {
	p := statusProblem(http.StatusBadRequest, detail)
	p.code = "INVALID_PARAMETERS"
	return p
}

// consentRequired is the error when a user must approve scopes first.
func consentRequired(missing []string) *problem {
	const title = "User must approve your client using scopes. See 'unapproved_scopes'."
	return &problem{
		status: http.StatusForbidden, code: "DEPENDENT_CONSENT_REQUIRED", title: title,
		oauth: "dependent_consent_required", unapproved: missing,
		detail: "User hasn't approved the following scopes: " + strings.Join(missing, " "),
	}
}

// document returns the body; id is a request ID.
func (p *problem) document(id string) server.ErrorDocument {
	if p.code == "" {
		return server.ErrorDocument{Error: p.oauth, ErrorDescription: p.detail}
	}
	return server.ErrorDocument{
		Error: p.oauth, ErrorDescription: p.title, AuthorizationParameters: p.parameters,
		Errors: []server.ErrorDetail{{
			Status: strconv.Itoa(p.status), ID: id, Code: p.code, Title: p.title, Detail: p.detail, UnapprovedScopes: p.unapproved,
		}},
	}
}

// writeProblem writes an error, which is a *problem or unexpected.
func (e *engine) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p, known := errors.AsType[*problem](err)
	if !known {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			p = badRequest("The body is longer than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes.")
			p.status = http.StatusRequestEntityTooLarge
		} else {
			p = &problem{
				status: http.StatusInternalServerError, code: "INTERNAL_ERROR", title: "Internal Server Error",
				oauth: "server_error", detail: "The test double failed: " + err.Error(),
			}
		}
	}
	if c := callFrom(r.Context()); c != nil {
		c.failed(p)
	}
	e.mu.Lock()
	id := e.random.uuid()
	e.mu.Unlock()
	_ = server.JSONStatus(p.status, p.document(id))(w) // the client went away
}
