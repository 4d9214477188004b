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

// AuthorizationParameters is what a Globus service asks of the next login: the
// authorization_parameters of a Globus Auth requirements error (GARE). Its JSON
// form is that object, without Extra. A nil list was not sent, or was null; an
// empty list was sent empty. SessionMessage holds printable text without control
// characters, as it is meant to be shown; all else is as it was sent.
type AuthorizationParameters struct {
	// SessionMessage is a sentence for the person who logs in.
	SessionMessage string `json:"session_message,omitempty"`
	// SessionRequiredIdentities are identities, all of which have to be in the
	// session.
	SessionRequiredIdentities []string `json:"session_required_identities,omitzero"`
	// SessionRequiredPolicies are IDs of policies that the session has to
	// satisfy.
	SessionRequiredPolicies []string `json:"session_required_policies,omitzero"`
	// SessionRequiredSingleDomain are domains; an identity from any one of them
	// has to be in the session.
	SessionRequiredSingleDomain []string `json:"session_required_single_domain,omitzero"`
	// SessionRequiredMFA asks for multi-factor authentication; nil when the
	// service did not say.
	SessionRequiredMFA *bool `json:"session_required_mfa,omitempty"`
	// RequiredScopes are scopes to consent to, as text with dependencies.
	RequiredScopes []string `json:"required_scopes,omitzero"`
	// Prompt is the prompt parameter of the authorize URL, "login" or "none".
	Prompt string `json:"prompt,omitempty"`
	// Extra are the fields that are not known here, as they were sent.
	Extra map[string]json.RawMessage `json:"-"`
}

// Requirement is a Globus Auth requirements error (GARE). Its JSON form is the
// canonical document, which every Globus client understands.
type Requirement struct {
	// Code is ConsentRequired, AuthorizationRequired or any other text.
	Code string `json:"code"`
	// Parameters is what the next login has to satisfy.
	Parameters AuthorizationParameters `json:"authorization_parameters"`
}

// Requirements finds the requirements errors in a JSON body of any Globus
// service: first the document itself, then the entries of its "errors" list. It
// knows the canonical document and the four older forms of it, and returns nil
// when there is none or the body is something else.
func Requirements(body []byte) []Requirement {
	if len(body) > maxBody {
		return nil
	}
	root := readObject(body)
	if root == nil {
		return nil
	}
	return requirements(root, root.list("errors"), maxDetails)
}

func requirements(root object, documents []object, limit int) []Requirement {
	var found []Requirement
	if requirement, ok := readRequirement(root); ok {
		found = append(found, requirement)
	}
	for _, document := range documents {
		if len(found) >= limit {
			break
		}
		if requirement, ok := readRequirement(document); ok {
			found = append(found, requirement)
		}
	}
	return found
}

// readRequirement tries the forms in the order in which Globus's own SDK tries
// them; a document can satisfy several.
func readRequirement(document object) (Requirement, bool) {
	code, hasCode := document.text("code")
	code = redact.Line(code, maxName)
	if members := readObject(document["authorization_parameters"]); members != nil {
		if hasCode {
			if parameters, ok := readParameters(members, canonical); ok {
				return Requirement{code, parameters}, true
			}
		}
		if hasCode || absent(document["code"]) {
			if parameters, ok := readParameters(members, legacy); ok {
				if !hasCode {
					code = codeAuthorizationRequired
				}
				return Requirement{code, parameters}, true
			}
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
	if scopes, ok := readTexts(document["required_scopes"]); ok {
		message, _ := document.text("message")
		return AuthorizationParameters{SessionMessage: redact.Line(message, maxMessage), RequiredScopes: scopes}, true
	}
	if scope, ok := document.text("required_scope"); ok {
		message, _ := document.text("description")
		return AuthorizationParameters{SessionMessage: redact.Line(message, maxMessage), RequiredScopes: []string{scope}}, true
	}
	return AuthorizationParameters{}, false
}

// readUnapproved reads the dependent token grant's list of scopes, in the first
// entry of the "errors" list.
func readUnapproved(document object) ([]string, bool) {
	var members []json.RawMessage
	if kind(document["errors"]) != '[' || json.Unmarshal(document["errors"], &members) != nil || len(members) == 0 {
		return nil, false
	}
	first := readObject(members[0])
	if first == nil {
		return nil, false
	}
	if absent(first["unapproved_scopes"]) {
		return []string{}, true
	}
	return readTexts(first["unapproved_scopes"])
}

// form is how the fields of authorization_parameters may look.
type form int

const (
	canonical form = iota
	// legacy allows comma-joined policies and domains, knows only the prompt
	// "login", and does not know required_scopes.
	legacy
)

// readParameters reports false as soon as a known field has a type that the
// form does not allow.
func readParameters(members object, f form) (AuthorizationParameters, bool) {
	var p AuthorizationParameters
	ok := true
	text := func(raw json.RawMessage) string {
		value, isText := readText(raw)
		ok = ok && (isText || absent(raw))
		return value
	}
	list := func(raw json.RawMessage, joined bool) []string {
		if absent(raw) {
			return nil
		}
		if value, isText := readText(raw); isText && joined {
			return split(value)
		}
		values, isList := readTexts(raw)
		ok = ok && isList
		return values
	}
	for name, raw := range members {
		switch {
		case name == "session_message":
			p.SessionMessage = redact.Line(text(raw), maxMessage)
		case name == "session_required_identities":
			p.SessionRequiredIdentities = list(raw, false)
		case name == "session_required_policies":
			p.SessionRequiredPolicies = list(raw, f == legacy)
		case name == "session_required_single_domain":
			p.SessionRequiredSingleDomain = list(raw, f == legacy)
		case name == "session_required_mfa":
			if !absent(raw) {
				ok = ok && json.Unmarshal(raw, &p.SessionRequiredMFA) == nil
			}
		case name == "required_scopes" && f == canonical:
			p.RequiredScopes = list(raw, false)
		case name == "prompt":
			p.Prompt = text(raw)
			ok = ok && (f == canonical || absent(raw) || p.Prompt == "login")
		default:
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

// readTexts reads a list of strings and nothing else.
func readTexts(raw json.RawMessage) ([]string, bool) {
	var members []json.RawMessage
	if kind(raw) != '[' || json.Unmarshal(raw, &members) != nil {
		return nil, false
	}
	texts := make([]string, len(members))
	for i, member := range members {
		text, ok := readText(member)
		if !ok {
			return nil, false
		}
		texts[i] = text
	}
	return texts, true
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
