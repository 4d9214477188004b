package apierror

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/globusauth/globusauth/internal/redact"
)

// Redact returns a copy of the error with "[redacted]" in place of every secret, in
// all printed fields: also where it is percent-encoded, escaped for JSON or HTML, in
// base64 or hexadecimal, and where a shortened text ends with its first part. Secrets
// shorter than 6 bytes are ignored. [Error.Body] and [Error.Header] keep what the
// service sent.
func (e *Error) Redact(secrets ...string) *Error {
	if e == nil {
		return nil
	}
	r := redact.New(secrets...)
	result := *e
	result.Operation = r.Text(e.Operation)
	result.Code = r.Text(e.Code)
	result.Message = r.Text(e.Message)
	result.RequestID = r.Text(e.RequestID)
	result.oauthCode = r.Text(e.oauthCode)
	result.requirementCode = r.Text(e.requirementCode)
	result.Details = slices.Clone(e.Details)
	for i, detail := range e.Details {
		result.Details[i] = Detail{
			Code:      r.Text(detail.Code),
			Message:   r.Text(detail.Message),
			RequestID: r.Text(detail.RequestID),
		}
	}
	if p := e.Authorization; p != nil {
		result.Authorization = &AuthorizationParameters{
			SessionMessage:              r.Text(p.SessionMessage),
			SessionRequiredIdentities:   texts(r, p.SessionRequiredIdentities),
			SessionRequiredPolicies:     texts(r, p.SessionRequiredPolicies),
			SessionRequiredSingleDomain: texts(r, p.SessionRequiredSingleDomain),
			SessionRequiredMFA:          p.SessionRequiredMFA,
			RequiredScopes:              texts(r, p.RequiredScopes),
			Prompt:                      r.Text(p.Prompt),
			Extra:                       fields(r, p.Extra),
		}
	}
	result.note = r.Text(e.note)
	return &result
}

func texts(s redact.Secrets, texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		texts[i] = s.Text(text)
	}
	return texts
}

// fields drops fields with a secret: a replacement could break the JSON.
func fields(s redact.Secrets, fields map[string]json.RawMessage) map[string]json.RawMessage {
	fields = maps.Clone(fields)
	maps.DeleteFunc(fields, func(name string, raw json.RawMessage) bool { return s.In(name + " " + string(raw)) })
	return fields
}
