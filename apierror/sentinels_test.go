package apierror_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/globusauth/globusauth/apierror"
)

func classes() []error {
	return []error{
		apierror.ErrBadRequest, apierror.ErrUnauthorized, apierror.ErrForbidden, apierror.ErrNotFound,
		apierror.ErrConflict, apierror.ErrRateLimited, apierror.ErrServer,
		apierror.ErrInvalidClient, apierror.ErrInvalidGrant, apierror.ErrUnauthorizedClient, apierror.ErrInvalidScope,
		apierror.ErrAccessDenied, apierror.ErrConsentRequired, apierror.ErrAuthorizationRequired,
	}
}

// Each row names all classes that the response belongs to; it belongs to no other.
func TestErrorIs_Classes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		want   []error
	}{
		{400, ``, []error{apierror.ErrBadRequest}},
		{401, ``, []error{apierror.ErrUnauthorized}},
		{403, ``, []error{apierror.ErrForbidden}},
		{404, ``, []error{apierror.ErrNotFound}},
		{409, ``, []error{apierror.ErrConflict}},
		{418, ``, nil},
		{429, ``, []error{apierror.ErrRateLimited}},
		{500, ``, []error{apierror.ErrServer}},
		{503, ``, []error{apierror.ErrServer}},
		{400, `{"error":"invalid_grant"}`, []error{apierror.ErrBadRequest, apierror.ErrInvalidGrant}},
		{401, `{"error":"invalid_grant"}`, []error{apierror.ErrUnauthorized, apierror.ErrInvalidGrant}},
		{500, `{"error":"invalid_grant"}`, []error{apierror.ErrServer}},
		{0, `{"error":"access_denied"}`, []error{apierror.ErrAccessDenied}},
		{0, `{"error":"consent_required"}`, []error{apierror.ErrConsentRequired}},
		{0, `{"error":"server_error"}`, []error{apierror.ErrServer}},
		{0, `{"error":"temporarily_unavailable"}`, []error{apierror.ErrServer}},
		{400, `{"error":"server_error"}`, []error{apierror.ErrBadRequest}},
		{401, `{"error":"invalid_client"}`, []error{apierror.ErrUnauthorized, apierror.ErrInvalidClient}},
		{
			401, `{"errors":[{"code":"UNAUTHORIZED","detail":"Basic auth failed"}],"error":"unauthorized"}`,
			[]error{apierror.ErrUnauthorized, apierror.ErrInvalidClient},
		},
		{
			401, `{"errors":[{"code":"UNAUTHORIZED","detail":"Call must be authenticated"}],"error":"unauthorized"}`,
			[]error{apierror.ErrUnauthorized},
		},
		{400, `{"error":"invalid_scope"}`, []error{apierror.ErrBadRequest, apierror.ErrInvalidScope}},
		{400, `{"error":"unauthorized_client"}`, []error{apierror.ErrBadRequest, apierror.ErrUnauthorizedClient}},
		{400, `{"errors":[{"code":"INVALID_SCOPE"}]}`, []error{apierror.ErrBadRequest, apierror.ErrInvalidScope}},
		{
			403, `{"errors":[{"code":"A"},{"code":"B"}],"error":"access_denied"}`,
			[]error{apierror.ErrForbidden, apierror.ErrAccessDenied},
		},
		{
			403, `{"error":"dependent_consent_required","errors":[{"code":"DEPENDENT_CONSENT_REQUIRED","unapproved_scopes":["s"]}]}`,
			[]error{apierror.ErrForbidden, apierror.ErrConsentRequired, apierror.ErrAuthorizationRequired},
		},
		{403, `{"error":"dependent_consent_required"}`, []error{apierror.ErrForbidden, apierror.ErrConsentRequired}},
		{
			403, `{"code":"ConsentRequired","required_scopes":["s"]}`,
			[]error{apierror.ErrForbidden, apierror.ErrConsentRequired, apierror.ErrAuthorizationRequired},
		},
		{
			403, `{"errors":[{"code":"X"},{"code":"ConsentRequired","required_scope":"s"}]}`,
			[]error{apierror.ErrForbidden, apierror.ErrConsentRequired, apierror.ErrAuthorizationRequired},
		},
		{
			403, `{"errors":[{"code":"FORBIDDEN"}],"authorization_parameters":{"session_required_policies":["p"]}}`,
			[]error{apierror.ErrForbidden, apierror.ErrAuthorizationRequired},
		},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %s", test.status, test.body), func(t *testing.T) {
			t.Parallel()
			e := apierror.FromResponse("do it", test.status, jsonHeader(), []byte(test.body))
			err := fmt.Errorf("flows: refresh: %w", e)
			for _, class := range classes() {
				want := false
				for _, w := range test.want {
					want = want || errors.Is(class, w)
				}
				if got := errors.Is(err, class); got != want {
					t.Errorf("errors.Is(%v, %v) = %t, want %t", err, class, got, want)
				}
			}
			if found, ok := errors.AsType[*apierror.Error](err); !ok || found != e {
				t.Errorf("errors.AsType found %v, want the error itself", found)
			}
		})
	}
}

func TestErrorIs_OtherTargets(t *testing.T) {
	t.Parallel()
	// Another error with the text of a code is not a class.
	if errors.Is(&apierror.Error{Code: "invalid_grant"}, errors.New("invalid_grant")) {
		t.Error("an error with the same text matches as a class")
	}
}
