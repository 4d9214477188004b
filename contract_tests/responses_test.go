package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

// responseCall makes the request of a recorded response and returns the decoded
// response.
type responseCall func(w *mocked, rec record) (any, error)

// responseCalls are the calls by the part of the label before the slash.
var responseCalls = map[string]responseCall{
	"openid_configuration": func(w *mocked, _ record) (any, error) { return w.public.GetOpenIDConfiguration(w.ctx) },
	"jwk":                  func(w *mocked, _ record) (any, error) { return w.public.GetJWKS(w.ctx) },
	"userinfo":             func(w *mocked, _ record) (any, error) { return w.user.GetUserinfo(w.ctx) },

	"get_identities": func(w *mocked, rec record) (any, error) {
		params := gen.GetIdentitiesParams{IDs: list(rec.query.Get("ids"))}
		for _, include := range list(rec.query.Get("include")) {
			params.Include = append(params.Include, gen.IdentityInclude(include))
		}
		return w.user.GetIdentities(w.ctx, &params)
	},
	"get_identity":           func(w *mocked, rec record) (any, error) { return w.user.GetIdentity(w.ctx, lastOf(rec), nil) },
	"get_identity_providers": func(w *mocked, _ record) (any, error) { return w.user.GetIdentityProviders(w.ctx, nil) },
	"get_consents": func(w *mocked, rec record) (any, error) {
		return w.user.GetConsents(w.ctx, ownerOf(rec), &gen.GetConsentsParams{All: true})
	},

	"get_projects": func(w *mocked, _ record) (any, error) { return w.user.GetProjects(w.ctx) },
	"get_project":  func(w *mocked, rec record) (any, error) { return w.user.GetProject(w.ctx, lastOf(rec)) },
	"create_project": func(w *mocked, rec record) (any, error) {
		args := argsOf[struct {
			ID           string `json:"id"`
			AdminID      string `json:"admin_id"`
			AdminGroupID string `json:"admin_group_id"`
		}](w.t, rec)
		project := gen.ProjectCreate{
			DisplayName: "P", ContactEmail: "c@x.y", AdminIDs: list(args.AdminID), AdminGroupIDs: list(args.AdminGroupID),
		}
		return w.user.CreateProject(w.ctx, gen.CreateProjectBody{Project: project})
	},
	"update_project": func(w *mocked, rec record) (any, error) {
		project := gen.ProjectUpdate{DisplayName: value("N")}
		return w.user.UpdateProject(w.ctx, lastOf(rec), gen.UpdateProjectBody{Project: project})
	},
	"delete_project": func(w *mocked, rec record) (any, error) { return w.user.DeleteProject(w.ctx, lastOf(rec)) },

	"get_policies": func(w *mocked, _ record) (any, error) { return w.user.GetPolicies(w.ctx) },
	"get_policy":   func(w *mocked, rec record) (any, error) { return w.user.GetPolicy(w.ctx, lastOf(rec)) },
	"create_policy": func(w *mocked, rec record) (any, error) {
		return w.user.CreatePolicy(w.ctx, gen.CreatePolicyBody{Policy: argsOf[gen.PolicyCreate](w.t, rec)})
	},
	"update_policy": func(w *mocked, rec record) (any, error) {
		args := argsOf[struct {
			gen.PolicyUpdate

			PolicyID string `json:"policy_id"`
		}](w.t, rec)
		return w.user.UpdatePolicy(w.ctx, args.PolicyID, gen.UpdatePolicyBody{Policy: args.PolicyUpdate})
	},
	"delete_policy": func(w *mocked, rec record) (any, error) { return w.user.DeletePolicy(w.ctx, lastOf(rec)) },

	"get_clients": func(w *mocked, _ record) (any, error) { return w.user.GetClients(w.ctx, nil) },
	"get_client": func(w *mocked, rec record) (any, error) {
		if lastOf(rec) == "clients" {
			return w.user.GetClients(w.ctx, &gen.GetClientsParams{FQDN: "api.example.org"})
		}
		return w.user.GetClient(w.ctx, lastOf(rec))
	},
	"create_client":              func(w *mocked, rec record) (any, error) { return createClient(w, w.user, rec) },
	"create_child_client":        func(w *mocked, rec record) (any, error) { return createClient(w, w.app, rec) },
	"create_native_app_instance": func(w *mocked, rec record) (any, error) { return createClient(w, w.public, rec) },
	"update_client": func(w *mocked, rec record) (any, error) {
		args := argsOf[struct {
			gen.ClientUpdate
			gen.ClientLinksUpdate

			ClientID string `json:"client_id"`
		}](w.t, rec)
		client := args.ClientUpdate
		if args.PrivacyPolicy.IsSpecified() {
			client.Links = value(args.ClientLinksUpdate)
		}
		return w.user.UpdateClient(w.ctx, args.ClientID, gen.UpdateClientBody{Client: client})
	},
	"delete_client": func(w *mocked, rec record) (any, error) { return w.user.DeleteClient(w.ctx, lastOf(rec)) },
	"add_fqdn": func(w *mocked, rec record) (any, error) {
		return w.user.AddClientFQDN(w.ctx, ownerOf(rec), gen.AddClientFQDNBody{FQDN: "api.example.org"})
	},

	"get_client_credentials": func(w *mocked, rec record) (any, error) {
		return w.user.GetClientCredentials(w.ctx, ownerOf(rec))
	},
	"create_client_credential": func(w *mocked, rec record) (any, error) {
		body := gen.CreateClientCredentialBody{Credential: gen.ClientCredentialCreate{Name: "foo"}}
		return w.user.CreateClientCredential(w.ctx, ownerOf(rec), body)
	},
	"delete_client_credential": func(w *mocked, rec record) (any, error) {
		return w.user.DeleteClientCredential(w.ctx, ownerOf(rec), lastOf(rec))
	},

	"get_scopes": func(w *mocked, rec record) (any, error) {
		params := gen.GetScopesParams{IDs: list(rec.query.Get("ids")), ScopeStrings: list(rec.query.Get("scope_strings"))}
		return w.user.GetScopes(w.ctx, &params)
	},
	"get_scope": func(w *mocked, rec record) (any, error) { return w.user.GetScope(w.ctx, lastOf(rec)) },
	"create_scope": func(w *mocked, rec record) (any, error) {
		if rec.args == nil {
			scope := gen.ScopeCreate{
				Name: "Action Provider 'all'", Description: "Access to my action provider", ScopeSuffix: "action_all",
				DependentScopes: value([]gen.DependentScope{{Scope: "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f"}}),
			}
			return w.user.CreateScope(w.ctx, ownerOf(rec), gen.CreateScopeBody{Scope: scope})
		}
		args := argsOf[struct {
			gen.ScopeCreate

			ClientID string `json:"client_id"`
		}](w.t, rec)
		return w.user.CreateScope(w.ctx, args.ClientID, gen.CreateScopeBody{Scope: args.ScopeCreate})
	},
	"update_scope": func(w *mocked, rec record) (any, error) {
		args := argsOf[struct {
			gen.ScopeUpdate

			ScopeID string `json:"scope_id"`
		}](w.t, rec)
		return w.user.UpdateScope(w.ctx, args.ScopeID, gen.UpdateScopeBody{Scope: args.ScopeUpdate})
	},
	"delete_scope": func(w *mocked, rec record) (any, error) { return w.user.DeleteScope(w.ctx, lastOf(rec)) },

	"oauth2_client_credentials_tokens": func(w *mocked, _ record) (any, error) {
		return w.app.Token(w.ctx, gen.TokenRequest{GrantType: gen.GrantTypeClientCredentials, Scope: "openid"})
	},
	"oauth2_exchange_code_for_tokens": func(w *mocked, _ record) (any, error) {
		request := gen.TokenRequest{GrantType: gen.GrantTypeAuthorizationCode, Code: "CODE", RedirectURI: "https://app.example/cb"}
		return w.app.Token(w.ctx, request)
	},
	"oauth2_get_dependent_tokens": func(w *mocked, _ record) (any, error) {
		return w.app.Token(w.ctx, gen.TokenRequest{GrantType: gen.GrantTypeDependentToken, Token: "TOKEN"})
	},
	"oauth2_token": func(w *mocked, rec record) (any, error) {
		if strings.Contains(rec.label, "dependent") {
			return w.app.Token(w.ctx, gen.TokenRequest{GrantType: gen.GrantTypeDependentToken, Token: "TOKEN", AccessType: gen.AccessTypeOffline})
		}
		return w.app.Token(w.ctx, gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, RefreshToken: "SAME_REFRESH"})
	},
	"oauth2_revoke_token": func(w *mocked, _ record) (any, error) {
		return w.app.Revoke(w.ctx, gen.RevokeRequest{Token: "TOKEN"})
	},
	"oauth2_token_introspect": func(w *mocked, rec record) (any, error) { return introspect(w, rec) },
	"introspect":              func(w *mocked, rec record) (any, error) { return introspect(w, rec) },
}

func introspect(w *mocked, rec record) (any, error) {
	return w.app.Introspect(w.ctx, gen.IntrospectRequest{
		Token: "TOKEN", Include: rec.body.form.Get("include"),
		AuthenticationPolicies: rec.body.form.Get("authentication_policies"),
	})
}

func createClient(w *mocked, client *globusauth.Client, rec record) (any, error) {
	if rec.args == nil {
		body := gen.ClientCreate{TemplateID: "95fdeba8-fac2-42bd-a357-e068d82ff78e", Name: "Globus CLI on host"}
		return client.CreateClient(w.ctx, gen.CreateClientBody{Client: body})
	}
	args := argsOf[struct {
		gen.ClientCreate
		gen.ClientLinks
	}](w.t, rec)
	body := args.ClientCreate
	body.Links = args.ClientLinks
	return client.CreateClient(w.ctx, gen.CreateClientBody{Client: body})
}

// argsOf reads the arguments of the other client's call. An argument that ours does
// not have fails the test.
func argsOf[T any](t *testing.T, rec record) T {
	t.Helper()
	var args T
	decoder := json.NewDecoder(bytes.NewReader(rec.args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&args); err != nil {
		t.Fatalf("arguments of the recording: %v", err)
	}
	return args
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// ownerOf is the ID in the middle of a path: /v2/api/clients/{ID}/credentials.
func ownerOf(rec record) string { return strings.Split(rec.path, "/")[4] }

// lastOf is the last segment of a path.
func lastOf(rec record) string { return rec.path[strings.LastIndex(rec.path, "/")+1:] }

// TestClient_RecordedResponses replays every recorded response: the request is the
// recorded one, decoding loses no field that the spec names, errors have their class,
// and request and response conform to the spec.
func TestClient_RecordedResponses(t *testing.T) {
	t.Parallel()
	records := responseRecords(t)
	names := map[string]bool{}
	labels := map[string]bool{}
	for _, rec := range records {
		name, _, _ := strings.Cut(rec.label, "/")
		names[name] = true
		if labels[rec.label] {
			t.Errorf("two records are called %q", rec.label)
		}
		labels[rec.label] = true
		t.Run(rec.label, func(t *testing.T) {
			t.Parallel()
			call, ok := responseCalls[name]
			reason, not := notOffered[rec.label]
			switch {
			case not:
				t.Logf("not offered: %s", reason)
				return
			case !ok:
				t.Fatal("no call for this record")
			}
			w := newMocked(t, rec)
			decoded, err := call(w, rec)
			for _, problem := range judge(rec, w.exchanges, nil) {
				t.Error(problem)
			}
			if len(w.exchanges) == 1 {
				checkUndocumented(t, rec.label, w.exchanges[0])
			}
			if rec.response.Status >= http.StatusBadRequest {
				checkError(t, rec, err)
				return
			}
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			checkDecoded(t, rec, decoded)
		})
	}
	for name := range responseCalls {
		if !names[name] {
			t.Errorf("no record of %q: remove the call", name)
		}
	}
	for label := range notInSpec {
		if !labels[label] {
			t.Errorf("no record %q: remove it from notInSpec", label)
		}
	}
}

// notInSpec are fields of recorded responses that the spec does not name.
var notInSpec = map[string][]string{}

func checkUndocumented(t *testing.T, label string, x exchange) {
	t.Helper()
	if !slices.Equal(x.undocumented, notInSpec[label]) {
		t.Errorf("fields that the spec does not name: got %q, want %q", x.undocumented, notInSpec[label])
	}
}

// checkError checks the class of an error and that it has the whole response.
func checkError(t *testing.T, rec record, err error) {
	t.Helper()
	failed, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *apierror.Error", err)
	}
	if failed.StatusCode != rec.response.Status {
		t.Errorf("status: got %d, want %d", failed.StatusCode, rec.response.Status)
	}
	if !bytes.Equal(failed.Body(), rec.response.bytes()) {
		t.Errorf("body: got %s, want %s", failed.Body(), rec.response.bytes())
	}
	class, ok := classes[failed.StatusCode]
	if ok && !errors.Is(err, class) {
		t.Errorf("errors.Is(%v, %v) is false", err, class)
	}
	for status, other := range classes {
		if status != failed.StatusCode && errors.Is(err, other) {
			t.Errorf("errors.Is(%v, %v) is true", err, other)
		}
	}
	var document struct {
		Error  string `json:"error"`
		Code   string `json:"code"`
		Errors []struct {
			ID   string `json:"id"`
			Code string `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(rec.response.bytes(), &document) != nil {
		return // such as an HTML page
	}
	if class, ok := oauthClasses[document.Error]; ok && !errors.Is(err, class) {
		t.Errorf("errors.Is(%v, %v) is false for %q", err, class, document.Error)
	}
	if len(document.Errors) > 0 {
		if len(failed.Details) != len(document.Errors) {
			t.Fatalf("details: got %d, want %d", len(failed.Details), len(document.Errors))
		}
		if want := document.Errors[0].ID; want != "" && failed.RequestID != want {
			t.Errorf("request ID: got %q, want %q", failed.RequestID, want)
		}
	}
}

var classes = map[int]error{
	http.StatusBadRequest:          apierror.ErrBadRequest,
	http.StatusUnauthorized:        apierror.ErrUnauthorized,
	http.StatusForbidden:           apierror.ErrForbidden,
	http.StatusNotFound:            apierror.ErrNotFound,
	http.StatusConflict:            apierror.ErrConflict,
	http.StatusTooManyRequests:     apierror.ErrRateLimited,
	http.StatusInternalServerError: apierror.ErrServer,
}

var oauthClasses = map[string]error{
	"invalid_grant":              apierror.ErrInvalidGrant,
	"invalid_client":             apierror.ErrInvalidClient,
	"unsupported_grant_type":     apierror.ErrBadRequest,
	"dependent_consent_required": apierror.ErrConsentRequired,
}

// TestClient_ErrorDocuments decodes every known error document, also those of other
// Globus services.
func TestClient_ErrorDocuments(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"errors.json", "gare.json"} {
		var entries []struct {
			Case     string           `json:"case"`
			Response recordedResponse `json:"response"`
			SDK      struct {
				RequestID *string         `json:"request_id"`
				GARE      json.RawMessage `json:"to_gare"`
			} `json:"sdk_result"`
		}
		readFixture(t, name, &entries)
		for _, e := range entries {
			t.Run(fmt.Sprintf("%s/%s", name, e.Case), func(t *testing.T) {
				t.Parallel()
				rec := record{label: e.Case, method: http.MethodGet, path: "/v2/oauth2/userinfo", response: &e.Response}
				w := newMocked(t, rec)
				_, err := w.user.GetUserinfo(w.ctx)
				checkErrorDocument(t, rec, err)
				failed, _ := errors.AsType[*apierror.Error](err)
				if failed == nil {
					return
				}
				if want := e.SDK.RequestID; want != nil && failed.RequestID != *want {
					t.Errorf("request ID: got %q, want %q", failed.RequestID, *want)
				}
				if required := len(e.SDK.GARE) > 0 && string(e.SDK.GARE) != "null"; required && failed.Authorization == nil {
					t.Error("the authorization requirements are missing")
				}
			})
		}
	}
}

func checkErrorDocument(t *testing.T, rec record, err error) {
	t.Helper()
	failed, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *apierror.Error", err)
	}
	if failed.StatusCode != rec.response.Status || !bytes.Equal(failed.Body(), rec.response.bytes()) {
		t.Errorf("got status %d and body %s", failed.StatusCode, failed.Body())
	}
	if class, ok := classes[failed.StatusCode]; ok && !errors.Is(err, class) {
		t.Errorf("errors.Is(%v, %v) is false", err, class)
	}
}
