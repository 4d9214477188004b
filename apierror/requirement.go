package apierror

import (
	"encoding/json"
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
// form is that object, without Extra. A nil list was absent or null; an
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
	// Extra are the unknown fields, as they were sent, without those that contain a secret.
	Extra map[string]json.RawMessage `json:"-"`
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
	if len(body) > maxBody {
		return nil
	}
	root := readObject(body, redact.Secrets{})
	return requirements(root, root.list("errors"), maxDetails)
}

func requirements(root object, documents []object, limit int) []Requirement {
	var found []Requirement
	for _, document := range append([]object{root}, documents...) {
		requirement, ok := readRequirement(document)
		if ok && len(found) < limit {
			found = append(found, requirement)
		}
	}
	return found
}

// readRequirement tries the forms in the order of Globus's SDK; a document can have
// several.
func readRequirement(document object) (Requirement, bool) {
	_, hasCode := document.text("code")
	code := document.line("code", maxName)
	if fields := readObject(document.fields["authorization_parameters"], document.secrets); fields.fields != nil {
		if parameters, ok := readParameters(fields); ok && (hasCode || absent(document.fields["code"])) {
			if !hasCode {
				code = codeAuthorizationRequired
			}
			return Requirement{code, parameters}, true
		}
	}
	if code == codeConsentRequired {
		if parameters, ok := readConsent(document); ok {
			return Requirement{code, parameters}, true
		}
	}
	if name, _ := document.text("error"); name == "dependent_consent_required" {
		if scopes, ok := readUnapproved(document); ok {
			return Requirement{codeConsentRequired, AuthorizationParameters{RequiredScopes: scopes}}, true
		}
	}
	return Requirement{}, false
}

// readConsent reads the older forms of Transfer and of action providers: scopes
// at the document's root.
func readConsent(document object) (AuthorizationParameters, bool) {
	if scopes, ok := document.readTexts(document.fields["required_scopes"]); ok {
		return AuthorizationParameters{SessionMessage: document.line("message", maxMessage), RequiredScopes: scopes}, true
	}
	if scope, ok := document.text("required_scope"); ok {
		return AuthorizationParameters{SessionMessage: document.line("description", maxMessage), RequiredScopes: []string{scope}}, true
	}
	return AuthorizationParameters{}, false
}

// readUnapproved reads the dependent token grant's list of scopes, in the first
// entry of the "errors" list.
func readUnapproved(document object) ([]string, bool) {
	entries := readList(document.fields["errors"])
	if len(entries) == 0 || kind(entries[0]) != '{' {
		return nil, false
	}
	unapproved := readObject(entries[0], document.secrets).fields["unapproved_scopes"]
	if absent(unapproved) {
		return []string{}, true
	}
	return document.readTexts(unapproved)
}

// readParameters reports false if a known field has a wrong type. Older documents join policies and domains by commas.
func readParameters(object object) (AuthorizationParameters, bool) {
	var p AuthorizationParameters
	ok := true
	text := func(raw json.RawMessage) string {
		value, isText := object.readText(raw)
		ok = ok && (isText || absent(raw))
		return value
	}
	list := func(raw json.RawMessage, maybeJoined bool) []string {
		if absent(raw) {
			return nil
		}
		if value, isText := object.readText(raw); isText && maybeJoined {
			return split(value)
		}
		values, isList := object.readTexts(raw)
		ok = ok && isList
		return values
	}
	for name, raw := range object.fields {
		switch name {
		case "session_message":
			p.SessionMessage = redact.Line(text(raw), maxMessage)
		case "session_required_identities":
			p.SessionRequiredIdentities = list(raw, false)
		case "session_required_policies":
			p.SessionRequiredPolicies = list(raw, true)
		case "session_required_single_domain":
			p.SessionRequiredSingleDomain = list(raw, true)
		case "session_required_mfa":
			if !absent(raw) {
				ok = ok && json.Unmarshal(raw, &p.SessionRequiredMFA) == nil
			}
		case "required_scopes":
			p.RequiredScopes = list(raw, false)
		case "prompt":
			p.Prompt = text(raw)
		default:
			if object.secrets.In(name + " " + string(raw)) { // a replacement could break the JSON
				continue
			}
			if p.Extra == nil {
				p.Extra = make(map[string]json.RawMessage)
			}
			p.Extra[name] = raw
		}
		if !ok {
			return AuthorizationParameters{}, false
		}
	}
	return p, true
}

// absent reports whether a field is missing or null.
func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// split cuts a comma-joined list; spaces around a value are not part of it.
func split(joined string) []string {
	values := []string{}
	for value := range strings.SplitSeq(joined, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}
