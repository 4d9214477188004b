package identitymap_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestMapGetMany_FailedRequestFailsItsOwnKeys(t *testing.T) {
	t.Parallel()
	s := newService(crowd(1000)...)
	s.fault = func(_ context.Context, _ int, r request) *http.Response {
		if slices.Contains(r.keys, name(250)) || slices.Contains(r.keys, name(650)) {
			return refuse(http.StatusBadGateway, "BROKEN")
		}
		return nil
	}
	m := s.newMap(t, identitymap.Config{})
	results, err := m.GetMany(t.Context(), names(1000))
	if !errors.Is(err, apierror.ErrServer) {
		t.Fatalf("error %v", err)
	}
	if failed, ok := errors.AsType[*apierror.Error](err); !ok || failed.StatusCode != http.StatusBadGateway {
		t.Errorf("error %v", err)
	}
	for n := range 1000 {
		r := results[name(n)]
		if n/100 == 2 || n/100 == 6 {
			if !errors.Is(r.Err, apierror.ErrServer) || !strings.Contains(r.Err.Error(), name(n)) {
				t.Errorf("%d: %+v", n, r)
			}
		} else if r.Err != nil || r.Identity.ID != id(n) {
			t.Errorf("%d: %+v", n, r)
		}
	}
	text := err.Error()
	for _, want := range []string{"identitymap: no response for 200 of 1000 keys: ", name(200), "GetIdentities"} {
		if !strings.Contains(text, want) {
			t.Errorf("error %q lacks %q", text, want)
		}
	}
	if strings.Contains(text, "\n") {
		t.Errorf("error %q is not one line", text)
	}
	// Nothing of it was remembered: asking again asks for those only.
	s.fault = nil
	if _, err := m.GetMany(t.Context(), names(1000)); err != nil || len(s.log()) != 12 {
		t.Errorf("%v, %d requests", err, len(s.log()))
	}
}

func TestMapAdd_KeptAfterFailure(t *testing.T) {
	t.Parallel()
	s := newService(crowd(3)...)
	s.fault = func(_ context.Context, number int, _ request) *http.Response {
		if number == 1 {
			return refuse(http.StatusInternalServerError, "BROKEN")
		}
		return nil
	}
	m := s.newMap(t, identitymap.Config{})
	m.Add("User1@example.edu")
	if _, err := m.Get(t.Context(), name(0)); !errors.Is(err, apierror.ErrServer) {
		t.Errorf("error %v", err)
	}
	if got := m.Added(); !slices.Equal(got, []string{name(1)}) {
		t.Errorf("pending %q", got)
	}
}

// TestMapGet_MalformedResponse has a service with malformed responses.
func TestMapGet_MalformedResponse(t *testing.T) {
	t.Parallel()
	for reason, body := range map[string]any{
		"null":    nil,
		"nothing": map[string]any{},
		"numbers": map[string]any{"identities": []int{1, 2}},
		"text":    "identities",
		"no ID":   gen.IdentityList{Identities: []gen.Identity{{Username: name(1)}}},
	} {
		s := newService()
		s.fault = func(context.Context, int, request) *http.Response { return respond(http.StatusOK, body) }
		who, err := s.newMap(t, identitymap.Config{}).Get(t.Context(), name(1))
		if err == nil || errors.Is(err, identitymap.ErrNoIdentity) || who.ID != "" {
			t.Errorf("%s: %+v, %v", reason, who, err)
		}
	}
}

// One key makes the service refuse the request.
func TestMapGetMany_ServiceRefusesOneKey(t *testing.T) {
	t.Parallel()
	s := newService(crowd(300)...)
	s.fault = func(_ context.Context, _ int, r request) *http.Response {
		if slices.Contains(r.keys, name(142)) {
			return refuse(http.StatusBadRequest, "INVALID_PARAMETERS")
		}
		return nil
	}
	m := s.newMap(t, identitymap.Config{})
	results, err := m.GetMany(t.Context(), names(300))
	if !errors.Is(err, apierror.ErrBadRequest) || !strings.Contains(err.Error(), `no response for 1 of 300 keys: "user142@example.edu"`) {
		t.Errorf("error %v", err)
	}
	for n := range 300 {
		if r := results[name(n)]; n == 142 && !errors.Is(r.Err, apierror.ErrBadRequest) || n != 142 && r.Identity.ID != id(n) {
			t.Errorf("%d: %+v", n, r)
		}
	}
	if n := len(s.log()); n > 3+16 {
		t.Errorf("%d requests", n)
	}
	// A service that refuses everything is not asked for every key.
	s.fault = func(context.Context, int, request) *http.Response {
		return refuse(http.StatusBadRequest, "INVALID_PARAMETERS")
	}
	before := len(s.log())
	m = s.newMap(t, identitymap.Config{})
	if _, err := m.GetMany(t.Context(), names(100)); !errors.Is(err, apierror.ErrBadRequest) {
		t.Errorf("error %v", err)
	}
	if n := len(s.log()) - before; n != 25 {
		t.Errorf("%d requests, want 25", n)
	}
}

func TestMapGetMany_UnmatchedRecords(t *testing.T) {
	t.Parallel()
	s := newService(person(1, name(1)), person(2, name(2)))
	s.fault = func(_ context.Context, _ int, r request) *http.Response {
		return respond(http.StatusOK, gen.IdentityList{Identities: []gen.Identity{
			{Username: "", ID: id(2)}, // seen by a token with fewer rights
			{Username: "USER1@example.edu", ID: id(1)},
			{Username: "user1@example.edu", ID: id(9)}, // a second one of that name
			{Username: "unrequested@example.edu", ID: id(8)},
			{Username: id(6), ID: id(5)}, // in the form of another identity's ID
		}})
	}
	m := s.newMap(t, identitymap.Config{})
	if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
		t.Errorf("%+v, %v", who, err)
	}
	// Not "not found": one of the records may be theirs.
	_, err := m.Get(t.Context(), name(2))
	if err == nil || errors.Is(err, identitymap.ErrNoIdentity) || !strings.Contains(err.Error(), "view_identities") {
		t.Errorf("error %v", err)
	}
	// An ID needs no username to be found.
	if who, err := m.Get(t.Context(), id(2)); err != nil || who.ID != id(2) {
		t.Errorf("%+v, %v", who, err)
	}
	if who, err := m.Get(t.Context(), id(5)); err != nil || who.ID != id(5) {
		t.Errorf("%+v, %v", who, err)
	}
	if who, err := m.Get(t.Context(), id(6)); !errors.Is(err, identitymap.ErrNoIdentity) {
		t.Errorf("a username passes for an ID: %+v, %v", who, err)
	}
	// Records of other keys are ignored.
	if _, err := m.Get(t.Context(), id(7)); !errors.Is(err, identitymap.ErrNoIdentity) {
		t.Errorf("error %v", err)
	}
}

func TestMapGet_Errors(t *testing.T) {
	t.Parallel()
	s := newService()
	s.fault = func(context.Context, int, request) *http.Response { return refuse(http.StatusForbidden, "FORBIDDEN") }
	m := s.newMap(t, identitymap.Config{})
	_, err := m.Get(t.Context(), name(1))
	failed, ok := errors.AsType[*apierror.Error](err)
	if !ok || !errors.Is(err, apierror.ErrForbidden) || failed.StatusCode != http.StatusForbidden {
		t.Errorf("error %v", err)
	}
	if err == nil || !strings.HasPrefix(err.Error(), `identitymap: "user1@example.edu": `) {
		t.Errorf("error %v", err)
	}
	// Not remembered.
	s.fault = nil
	if _, err := m.Get(t.Context(), name(1)); !errors.Is(err, identitymap.ErrNoIdentity) {
		t.Errorf("error %v", err)
	}
	bare, err := globusauth.New(globusauth.Config{HTTPClient: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.newMap(t, identitymap.Config{Client: bare}).Get(t.Context(), name(1)); !errors.Is(err, globusauth.ErrNoCredentials) {
		t.Errorf("error %v", err)
	}
}
