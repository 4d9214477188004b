package apierror

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	redacted = "[redacted]"
	// minSecret is the shortest text taken for a secret: replacing a shorter one
	// would only garble messages.
	minSecret = 6
)

// Redact returns a copy of the error in which every secret is replaced by
// "[redacted]", in all fields that anything prints: also where it is
// percent-encoded, and where the end of a shortened text holds only the first
// part of it. Secrets shorter than 6 bytes are ignored. [Error.Body] and
// [Error.Header] keep what the service sent.
func (e *Error) Redact(secrets ...string) *Error {
	if e == nil {
		return nil
	}
	r := newRedactor(secrets)
	result := *e
	result.Operation = r.text(e.Operation)
	result.Code = r.text(e.Code)
	result.Message = r.text(e.Message)
	result.RequestID = r.text(e.RequestID)
	result.oauthCode = r.text(e.oauthCode)
	result.requirementCode = r.text(e.requirementCode)
	result.Details = slices.Clone(e.Details)
	for i, detail := range e.Details {
		result.Details[i] = Detail{
			Code:      r.text(detail.Code),
			Message:   r.text(detail.Message),
			RequestID: r.text(detail.RequestID),
		}
	}
	if p := e.Authorization; p != nil {
		result.Authorization = &AuthorizationParameters{
			SessionMessage:              r.text(p.SessionMessage),
			SessionRequiredIdentities:   r.texts(p.SessionRequiredIdentities),
			SessionRequiredPolicies:     r.texts(p.SessionRequiredPolicies),
			SessionRequiredSingleDomain: r.texts(p.SessionRequiredSingleDomain),
			SessionRequiredMFA:          p.SessionRequiredMFA,
			RequiredScopes:              r.texts(p.RequiredScopes),
			Prompt:                      r.text(p.Prompt),
			Extra:                       r.members(p.Extra),
		}
	}
	result.note = r.text(e.note)
	return &result
}

// redactor holds the forms in which a secret may come back, longest first, so
// that no form leaves the rest of a longer one behind.
type redactor struct {
	forms    []string
	replacer *strings.Replacer
}

func newRedactor(secrets []string) redactor {
	var r redactor
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		r.forms = append(r.forms, url.QueryEscape(secret), url.PathEscape(secret))
		if utf8.ValidString(secret) { // what is printed is valid, and must not be cut within a character
			r.forms = append(r.forms, secret)
		}
		// Of a secret without printable text nothing is left, and nothing is everywhere.
		if cleaned := clean(secret, len(secret)); len(cleaned) >= minSecret {
			r.forms = append(r.forms, cleaned)
		}
	}
	slices.SortFunc(r.forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	r.forms = slices.Compact(r.forms)
	pairs := make([]string, 0, 2*len(r.forms))
	for _, form := range r.forms {
		pairs = append(pairs, form, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

func (r redactor) text(text string) string {
	text = r.replacer.Replace(text)
	if !strings.Contains(text, ellipsis) {
		return text
	}
	parts := strings.Split(text, ellipsis)
	for i := range parts[:len(parts)-1] {
		parts[i] = r.cut(parts[i])
	}
	return strings.Join(parts, ellipsis)
}

// cut replaces the first part of a secret at the end of a shortened text.
func (r redactor) cut(text string) string {
	for _, form := range r.forms {
		for n := min(len(form)-1, len(text)); n >= minSecret; n-- {
			if strings.HasSuffix(text, form[:n]) {
				return text[:len(text)-n] + redacted
			}
		}
	}
	return text
}

func (r redactor) texts(texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		texts[i] = r.text(text)
	}
	return texts
}

// members leaves out what holds a secret: a replacement could break the JSON.
func (r redactor) members(members map[string]json.RawMessage) map[string]json.RawMessage {
	if members == nil {
		return nil
	}
	kept := make(map[string]json.RawMessage, len(members))
	for name, raw := range members {
		if line := name + " " + string(raw); r.replacer.Replace(line) == line {
			kept[name] = raw
		}
	}
	return kept
}
