package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
)

// gone reports whether the service says that an object does not exist. The page of a proxy with
// status 404 does not say so.
func gone(err error) bool {
	if errors.Is(err, errGone) {
		return true
	}
	known, ok := errors.AsType[*apierror.Error](err)
	return ok && errors.Is(err, apierror.ErrNotFound) && known.Code+known.Message != ""
}

// attributeError is an error of this provider about an attribute.
type attributeError struct{ name, text string }

func (e *attributeError) Error() string { return e.text }

// diagnose reports an error, once for each problem that the service lists, at the attribute that the
// service's text names or whose value it repeats.
func (m *managed) diagnose(diagnostics *diag.Diagnostics, verb string, err error, about tftypes.Value) {
	if err == nil {
		return
	}
	summary := fmt.Sprintf("Cannot %s the %s", verb, m.title())
	if own, ok := errors.AsType[*attributeError](err); ok {
		diagnostics.AddAttributeError(path.Root(own.name), summary, own.text)
		return
	}
	known, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		diagnostics.AddError(summary, explain(err))
		return
	}
	messages := []string{known.Message}
	if len(known.Details) > 1 {
		messages = nil
		for _, detail := range known.Details {
			messages = append(messages, detail.Message)
		}
	}
	for _, message := range messages {
		detail := explain(err)
		if len(messages) > 1 {
			detail = message + "\n\n" + detail
		}
		if name := m.attributeOf(message, known.StatusCode, fields(about)); name != "" {
			diagnostics.AddAttributeError(path.Root(name), summary, detail)
		} else {
			diagnostics.AddError(summary, detail)
		}
	}
}

// explain adds to an error what to do, where the library's own text cannot know it.
func explain(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, apierror.ErrAuthorizationRequired):
		text += "\n\nWith the stored login of globus-auth, run: globus-auth session update --prompt login"
	case errors.Is(err, globusauth.ErrNoCredentials):
		text += "\n\nSet client_id and client_secret, or access_token, in the provider's configuration, or log in with globus-auth."
	case errors.Is(err, context.DeadlineExceeded):
		text += "\n\nThe attribute timeouts sets the limit."
	}
	return text
}

var word = regexp.MustCompile(`[a-z][a-z_]*[a-z]`)

// attributeOf finds the attribute that a message is about: the first one that it names, else one whose
// value it has, else the one that a conflict is about, else one that it mentions.
func (m *managed) attributeOf(message string, status int, values map[string]tftypes.Value) string {
	var mentioned string
	for _, name := range word.FindAllString(message, -1) {
		_, ok := values[name]
		switch _, id := values[name+"_id"]; {
		// A name such as "client" or "scopes" is also an ordinary word.
		case ok && (strings.Contains(name, "_") || strings.Contains(message, name+" is ")):
			return name
		case mentioned == "" && ok:
			mentioned = name
		case mentioned == "" && id:
			mentioned = name + "_id"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, text := range leaves(encode(values[name])) {
			if len(text) > 3 && regexp.MustCompile(`(^|[\s"'(])`+regexp.QuoteMeta(text)+`($|[\s"').,;:])`).MatchString(message) {
				return name
			}
		}
	}
	switch {
	case status == http.StatusConflict && m.unique != "":
		return m.unique
	case status >= http.StatusInternalServerError: // the text is not about a value
		return ""
	}
	return mentioned
}

// leaves returns the strings in a value.
func leaves(value any) []string {
	var texts []string
	switch value := value.(type) {
	case string:
		texts = append(texts, value)
	case []any:
		for _, each := range value {
			texts = append(texts, leaves(each)...)
		}
	case map[string]any:
		for _, each := range value {
			texts = append(texts, leaves(each)...)
		}
	}
	return texts
}
