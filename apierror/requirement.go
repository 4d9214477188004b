package apierror

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/redact"
)

// Codes of requirements that have a meaning of their own.
const (
	codeConsentRequired       = "ConsentRequired"
	codeAuthorizationRequired = "AuthorizationRequired"
)

// AuthorizationParameters are a Globus service's requirements for the next login: the
// authorization_parameters of a Globus Auth requirements error (GARE). Its JSON
// form is that object. A nil list was absent or null; an
// empty list was sent empty. SessionMessage is printable text without control
// characters; all other fields are as they were sent.
type AuthorizationParameters struct {
	// SessionMessage is a text for the person who logs in.
	SessionMessage string `json:"session_message,omitempty"`
	// SessionRequiredIdentities are identities that must all be in the session.
	SessionRequiredIdentities []string `json:"session_required_identities,omitzero"`
	// SessionRequiredPolicies are IDs of policies that the session must satisfy.
	SessionRequiredPolicies []string `json:"session_required_policies,omitzero"`
	// SessionRequiredSingleDomain are domains; an identity from one of them must be in
	// the session.
	SessionRequiredSingleDomain []string `json:"session_required_single_domain,omitzero"`
	// SessionRequiredMFA requires multi-factor authentication; nil if absent.
	SessionRequiredMFA *bool `json:"session_required_mfa,omitempty"`
	// RequiredScopes are scopes to consent to, as text with dependencies.
	RequiredScopes []string `json:"required_scopes,omitzero"`
	// Prompt is the prompt parameter of the authorize URL, "login" or "none".
	Prompt string `json:"prompt,omitempty"`
}

// Requirement is a Globus Auth requirements error (GARE). Its JSON form is the
// canonical document, which all Globus clients read.
type Requirement struct {
	// Code is ConsentRequired, AuthorizationRequired or any other text.
	Code string `json:"code"`
	// Parameters are the requirements for the next login.
	Parameters AuthorizationParameters `json:"authorization_parameters"`
}

// Requirements finds the requirements errors in a JSON body of any Globus
// service: first the document itself, then the entries of its "errors" list. It
// reads the canonical document and its four older forms, and returns nil for any
// other body.
func Requirements(body []byte) []Requirement {
	return readDocument(body, redact.Secrets{}).requirements()
}

func (d document) requirements() []Requirement {
	var found []Requirement
	for _, entry := range append([]document{d}, d.list("errors")...) {
		if requirement, ok := entry.requirement(); ok {
			found = append(found, requirement)
		}
	}
	return found
}

// requirement tries the forms in the order of the Globus SDK for Python; a document can have
// several.
func (d document) requirement() (Requirement, bool) {
	_, hasCode := d["code"].(string)
	code := d.line("code", maxName)
	if fields, ok := d["authorization_parameters"].(map[string]any); ok && (hasCode || d["code"] == nil) {
		if parameters, ok := readParameters(fields); ok && hasCode {
			return Requirement{code, parameters}, true
		} else if ok && (parameters.Prompt == "" || parameters.Prompt == "login") {
			parameters.RequiredScopes = nil // this form has none
			return Requirement{codeAuthorizationRequired, parameters}, true
		}
	}
	message := ""
	scopes, ok := []string(nil), false
	switch {
	case code == codeConsentRequired: // Transfer, action providers
		message = d.line("message", maxMessage)
		if scopes, ok = texts(d["required_scopes"]); !ok {
			message = d.line("description", maxMessage)
			scopes, ok = texts([]any{d["required_scope"]})
		}
	case d["error"] == "dependent_consent_required": // the dependent token grant
		if entries := d.list("errors"); len(entries) > 0 && entries[0]["unapproved_scopes"] == nil {
			scopes, ok = []string{}, true
		} else if len(entries) > 0 {
			scopes, ok = texts(entries[0]["unapproved_scopes"])
		}
	}
	return Requirement{codeConsentRequired, AuthorizationParameters{SessionMessage: message, RequiredScopes: scopes}}, ok
}

// texts returns a list of strings, and false for anything else.
func texts(value any) ([]string, bool) {
	entries, ok := value.([]any)
	list := []string{}
	for _, entry := range entries {
		text, isText := entry.(string)
		list, ok = append(list, text), ok && isText
	}
	return list, ok
}

// readParameters reports false if a known field has a wrong type. Older documents join policies and domains by commas.
func readParameters(fields map[string]any) (p AuthorizationParameters, ok bool) {
	// encoding/json would take an unknown field such as "Prompt" for a known one.
	maps.DeleteFunc(fields, func(name string, _ any) bool { return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" })
	for _, name := range []string{"session_required_policies", "session_required_single_domain"} {
		if joined, ok := fields[name].(string); ok {
			fields[name] = split(joined)
		}
	}
	encoded, err := json.Marshal(fields)
	ok = err == nil && json.Unmarshal(encoded, &p) == nil
	p.SessionMessage = redact.Line(p.SessionMessage, maxMessage)
	return p, ok
}

// split cuts a comma-joined list; spaces around a value are not part of it.
func split(joined string) []string {
	values := strings.FieldsFunc(joined, func(r rune) bool { return r == ',' })
	for i, value := range values {
		values[i] = strings.TrimSpace(value)
	}
	return slices.DeleteFunc(values, func(value string) bool { return value == "" })
}
