package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
)

func TestConfigIntrospect_Responses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	server := p.confidential(t)
	p.recorded(t, "oauth2_token_introspect.json", "default")
	got, err := server.Introspect(t.Context(), "tok", flows.IntrospectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Active || got.Username != "kingfish@globus.org" || got.Exp.Unix() != 1715289767 || len(got.Aud) != 2 {
		t.Errorf("introspection %+v", got)
	}
	p.recorded(t, "introspect_extra.json", "session_info_mfa")
	if got, err = server.Introspect(t.Context(), "tok", flows.IntrospectOptions{SessionInfo: true}); err != nil {
		t.Fatal(err)
	}
	if authentication := got.SessionInfo.Authentications[got.Sub]; authentication.AuthTime.Unix() != 1670276200 || !cmp.Equal(authentication.AMR, []string{"mfa", "pwd"}) {
		t.Errorf("authentication %+v", authentication)
	}
	for _, name := range []string{"session_info", "session_info_null", "session_info_authentications_empty"} {
		p.recorded(t, "introspect_extra.json", name)
		if got, err = server.Introspect(t.Context(), "tok", flows.IntrospectOptions{SessionInfo: true}); err != nil || !got.Active {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.recorded(t, "introspect_extra.json", "identity_set_detail_and_policies")
	policies := []string{"5ae3ce4c-0f8d-4bf6-9bb9-b0d6bc4f1f9f", "another"}
	if got, err = server.Introspect(t.Context(), "tok", flows.IntrospectOptions{IdentitySet: true, IdentitySetDetail: true, SessionInfo: true, Policies: policies}); err != nil {
		t.Fatal(err)
	}
	if len(got.IdentitySetDetail) == 0 || len(got.PolicyEvaluations) != 1 {
		t.Errorf("introspection %+v", got)
	}
	form := url.Values{"token": {"tok"}, "include": {"identity_set,identity_set_detail,session_info"}, "authentication_policies": {strings.Join(policies, ",")}}
	if diff := cmp.Diff(form, p.last(t).form); diff != "" {
		t.Error(diff)
	}
	n := len(p.received())
	if _, err := server.Introspect(t.Context(), "", flows.IntrospectOptions{}); err == nil || len(p.received()) != n {
		t.Errorf("an empty token: %v, %d requests", err, len(p.received())-n)
	}
}

// An inactive token is not an error, and the other fields of its response are dropped.
func TestConfigIntrospect_Inactive(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for _, body := range []any{object{"active": false}, object{"active": false, "sub": alice, "scope": "openid"}, object{"sub": alice, "scope": "openid"}, object{}} {
		p.respond = func(received) (int, any) { return http.StatusOK, body }
		got, err := p.confidential(t).Introspect(t.Context(), "tok", flows.IntrospectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&gen.Introspection{}, got); diff != "" {
			t.Errorf("%v: %s", body, diff)
		}
	}
}

// Only the malformed field is dropped: the token stays active, and a malformed value
// never grants access.
func TestConfigIntrospect_OddFields(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = func(received) (int, any) {
		return http.StatusOK, object{
			"active": true, "aud": clientID, "scope": "openid", "sub": alice, "name": 7, "exp": "tomorrow", "identity_set": "x",
			"policy_evaluations": []string{}, "session_info": object{"session_id": "s", "authentications": []string{}},
		}
	}
	got, err := p.confidential(t).Introspect(t.Context(), "tok", flows.IntrospectOptions{})
	want := &gen.Introspection{
		Active: true, Aud: []string{clientID}, Scope: "openid", Sub: alice, SessionInfo: gen.SessionInfo{SessionID: "s"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, active := range []any{"true", 1, []bool{true}, object{"active": true}} {
		p.respond = func(received) (int, any) { return http.StatusOK, object{"active": active, "scope": "openid"} }
		if got, err = p.confidential(t).Introspect(t.Context(), "tok", flows.IntrospectOptions{}); err != nil || got.Active {
			t.Errorf("active %v: %+v, %v", active, got, err)
		}
	}
}
