package globusauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/unixtime"
)

// returns is a client of a service that returns one body, and its log.
func returns(t *testing.T, status int, body string) (*globusauth.Client, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	config := globusauth.Config{Credentials: globusauth.Basic("id", "secret"), Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	return serve(t, config, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}), &log
}

// logged is the field that the one warning names.
func logged(t *testing.T, log *bytes.Buffer) string {
	t.Helper()
	if log.Len() == 0 {
		return ""
	}
	var record struct {
		Level string `json:"level"`
		First string `json:"first"`
	}
	if err := json.Unmarshal(log.Bytes(), &record); err != nil || record.Level != "WARN" {
		t.Fatalf("log %q, %v; want one warning", log, err)
	}
	return record.First
}

// A field of an unexpected type reads as absent; the others keep their values.
func TestIntrospect_FieldsOfUnexpectedTypes(t *testing.T) {
	t.Parallel()
	full := func() gen.Introspection {
		return gen.Introspection{
			Active: true, Aud: []string{"a", "b"}, Sub: "s", Exp: unixtime.Time{Time: time.Unix(1_800_000_000, 0).UTC()}, Name: "Alice", IdentitySet: []string{"s", "t"},
			SessionInfo: gen.SessionInfo{SessionID: "i", Authentications: map[string]gen.SessionAuthentication{
				"s": {ACR: "r", AMR: []string{"mfa"}, IDP: "p"}, "t": {IDP: "q"},
			}},
			PolicyEvaluations: map[string]gen.PolicyEvaluation{"one": {Evaluation: true}, "two": {Evaluation: true}},
			IdentitySetDetail: []gen.LinkedIdentity{{ID: "s", Name: "Alice"}, {ID: "t"}},
		}
	}
	for name, test := range map[string]struct {
		set    string // a path in the document and its new value
		change func(*gen.Introspection)
		field  string // that the warning names
	}{
		"aud is a text":                   {`aud="a"`, func(i *gen.Introspection) { i.Aud = []string{"a"} }, ""},
		"aud is a number":                 {`aud=7`, func(i *gen.Introspection) { i.Aud = nil }, "aud"},
		"aud holds a number":              {`aud=["a",7]`, func(i *gen.Introspection) { i.Aud = []string{"a", ""} }, "aud"},
		"active is a text":                {`active="true"`, func(i *gen.Introspection) { i.Active = false }, "active"},
		"active is a number":              {`active=1`, func(i *gen.Introspection) { i.Active = false }, "active"},
		"active is a list":                {`active=[true]`, func(i *gen.Introspection) { i.Active = false }, "active"},
		"name is a number":                {`name=7`, func(i *gen.Introspection) { i.Name = "" }, "name"},
		"name is an object":               {`name={"x":1}`, func(i *gen.Introspection) { i.Name = "" }, "name"},
		"sub is a number":                 {`sub=7`, func(i *gen.Introspection) { i.Sub = "" }, "sub"},
		"exp has a fraction":              {`exp=1.8e9`, func(*gen.Introspection) {}, ""},
		"exp is a text":                   {`exp="1800000000"`, func(i *gen.Introspection) { i.Exp = unixtime.Time{} }, "exp"},
		"exp is after the year 9999":      {`exp=1e30`, func(i *gen.Introspection) { i.Exp = unixtime.Time{} }, "exp"},
		"identity_set is a text":          {`identity_set="s"`, func(i *gen.Introspection) { i.IdentitySet = nil }, "identity_set"},
		"identity_set_detail holds texts": {`identity_set_detail=["s",{"id":"t"}]`, func(i *gen.Introspection) { i.IdentitySetDetail[0] = gen.LinkedIdentity{} }, "identity_set_detail"},
		"last_authentication is a text": {
			`identity_set_detail=[{"id":"s","name":"Alice","last_authentication":"yesterday"},{"id":"t","organization":["x"]}]`, func(*gen.Introspection) {},
			"identity_set_detail",
		},
		"session_info is a list":      {`session_info=[]`, func(i *gen.Introspection) { i.SessionInfo = gen.SessionInfo{} }, "session_info"},
		"authentications is a list":   {`session_info={"session_id":"i","authentications":[]}`, func(i *gen.Introspection) { i.SessionInfo.Authentications = nil }, "session_info"},
		"an authentication is a text": {`session_info={"session_id":"i","authentications":{"s":"x","t":{"idp":"q"}}}`, func(i *gen.Introspection) { i.SessionInfo.Authentications["s"] = gen.SessionAuthentication{} }, "session_info"},
		"amr is a text": {`session_info={"session_id":"i","authentications":{"s":{"acr":"r","amr":"mfa","idp":"p"},"t":{"idp":"q"}}}`, func(i *gen.Introspection) {
			i.SessionInfo.Authentications["s"] = gen.SessionAuthentication{ACR: "r", IDP: "p"}
		}, "session_info"},
		"policy_evaluations is a list": {`policy_evaluations=[]`, func(i *gen.Introspection) { i.PolicyEvaluations = nil }, "policy_evaluations"},
		"an evaluation is a boolean":   {`policy_evaluations={"one":true,"two":{"evaluation":true}}`, func(i *gen.Introspection) { i.PolicyEvaluations["one"] = gen.PolicyEvaluation{} }, "policy_evaluations"},
		"an evaluation is a text":      {`policy_evaluations={"one":{"evaluation":"true"},"two":{"evaluation":true}}`, func(i *gen.Introspection) { i.PolicyEvaluations["one"] = gen.PolicyEvaluation{} }, "policy_evaluations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := full()
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var document map[string]json.RawMessage
			if err := json.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			field, value, _ := strings.Cut(test.set, "=")
			document[field] = json.RawMessage(value)
			if text, err = json.Marshal(document); err != nil {
				t.Fatal(err)
			}
			client, log := returns(t, http.StatusOK, string(text))
			got, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"})
			if err != nil {
				t.Fatal(err)
			}
			test.change(&want)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
			if got := logged(t, log); got != test.field {
				t.Errorf("the log names %q, want %q", got, test.field)
			}
		})
	}
}

// The last of duplicate fields counts, also if its type is unexpected.
func TestIntrospect_OddDuplicates(t *testing.T) {
	t.Parallel()
	client, _ := returns(t, http.StatusOK, `{"active":true,"active":"false","policy_evaluations":{"p":{"evaluation":true},"p":false},"aud":["a"],"aud":0,"session_info":{"session_id":"i"},"session_info":0}`)
	got, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"})
	if diff := cmp.Diff(&gen.Introspection{PolicyEvaluations: map[string]gen.PolicyEvaluation{"p": {}}}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Every operation decodes a document in which every value has another type.
func TestOperations_FieldsOfUnexpectedTypes(t *testing.T) {
	t.Parallel()
	operations := reflect.TypeFor[*globusauth.Client]()
	driven := 0
	for method := range operations.Methods() {
		if method.Type.NumOut() != 2 || method.Type.NumIn() < 2 || method.Type.In(1) != reflect.TypeFor[context.Context]() {
			continue
		}
		result := method.Type.Out(0).Elem()
		if result.PkgPath() != reflect.TypeFor[gen.Identity]().PkgPath() || result.Kind() != reflect.Struct {
			continue
		}
		driven++
		for _, odd := range []string{"7", `"text"`, "true", "[7]", `{"x":7}`, `[["x"]]`, "-1e999"} {
			t.Run(fmt.Sprint(method.Name, odd), func(t *testing.T) {
				t.Parallel()
				fields := make([]string, 0, result.NumField())
				for field := range result.Fields() {
					name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
					fields = append(fields, fmt.Sprintf("%q:%s", name, odd))
				}
				client, _ := returns(t, http.StatusOK, "{"+strings.Join(fields, ",")+"}")
				arguments := []reflect.Value{reflect.ValueOf(client), reflect.ValueOf(t.Context())}
				for n := 2; n < method.Type.NumIn()-1; n++ {
					argument := reflect.New(method.Type.In(n)).Elem()
					if argument.Kind() == reflect.String {
						argument.SetString("id")
					}
					arguments = append(arguments, argument)
				}
				out := method.Func.Call(arguments)
				err, _ := reflect.TypeAssert[error](out[1])
				if errors.Is(err, globusauth.ErrNoCredentials) {
					arguments[0] = reflect.ValueOf(client.WithCredentials(globusauth.Bearer("token")))
					out = method.Func.Call(arguments)
					err, _ = reflect.TypeAssert[error](out[1])
				}
				if err != nil {
					t.Errorf("refused: %v", err)
				}
			})
		}
	}
	if driven < 30 {
		t.Errorf("%d operations, want all", driven)
	}
}

// A warning is bounded and contains only names of the spec.
func TestDecode_WarningsNameFieldsOfTheSpecOnly(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("S3CR3T", 200_000)
	bad := strings.Repeat(`{"identity_provider":7,"S3CR3T":7,"name":{"S3CR3T":"S3CR3T"}},`, 1000)
	client, log := returns(t, http.StatusOK, `{"active":true,"policy_evaluations":{"`+long+`":{"evaluation":"x"},"`+long+`/~a":7,"S3CR3T":{"S3CR3T":1}},"identity_set_detail":[`+bad+`7]}`)
	if got, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"}); err != nil || !got.Active || len(got.IdentitySetDetail) != 1001 {
		t.Fatalf("%v", err)
	}
	if strings.Contains(log.String(), "S3CR3T") || log.Len() > 1000 {
		t.Errorf("a log of %d bytes: %.300s", log.Len(), log)
	}
	if got := logged(t, log); got != "policy_evaluations" {
		t.Errorf("the log names %q, want the first field", got)
	}
}

// The cost of a hostile document is linear in its size.
func TestDecode_ManyOddValuesBelowALongName(t *testing.T) {
	t.Parallel()
	long, many := strings.Repeat("k", 4<<20), strings.Repeat(`"amr":"x",`, 100_000)
	client, _ := returns(t, http.StatusOK, `{"active":true,"session_info":{"authentications":{"`+long+`":{`+many+`"idp":"p"}}}}`)
	begin := time.Now()
	if _, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("%s for 5 MB", took)
	}
}

// A success without content needs no document (RFC 7009 section 2.2).
func TestOperations_SuccessWithoutDocument(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *globusauth.Client) error{
		"Revoke": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.Revoke(ctx, gen.RevokeRequest{Token: "t"})
			return err
		},
		"AddClientFQDN": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.AddClientFQDN(ctx, "id", gen.AddClientFQDNBody{})
			return err
		},
		"DeleteClient": func(ctx context.Context, c *globusauth.Client) error { _, err := c.DeleteClient(ctx, "id"); return err },
		"DeletePolicy": func(ctx context.Context, c *globusauth.Client) error { _, err := c.DeletePolicy(ctx, "id"); return err },
		"DeleteProject": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.DeleteProject(ctx, "id")
			return err
		},
		"DeleteScope": func(ctx context.Context, c *globusauth.Client) error { _, err := c.DeleteScope(ctx, "id"); return err },
		"DeleteClientCredential": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.DeleteClientCredential(ctx, "id", "id")
			return err
		},
	} {
		for _, body := range []string{"", " \r\n", "null", `""`, "[]", "true", "{}"} {
			for _, status := range []int{http.StatusOK, http.StatusNoContent} {
				if status == http.StatusNoContent && body != "" {
					continue
				}
				client, log := returns(t, status, body)
				err := call(t.Context(), client)
				if errors.Is(err, globusauth.ErrNoCredentials) {
					err = call(t.Context(), client.WithCredentials(globusauth.Bearer("token")))
				}
				if err != nil || log.Len() != 0 {
					t.Errorf("%s: status %d with body %q: %v; log %s", name, status, body, err, log)
				}
			}
		}
		client, _ := returns(t, http.StatusOK, "<html>Sign in to the hotel's network</html>")
		client = client.WithCredentials(globusauth.Bearer("token"))
		if err := call(t.Context(), client); err != nil && !errors.Is(err, globusauth.ErrMalformedResponse) && !errors.Is(err, globusauth.ErrNoCredentials) || err == nil {
			t.Errorf("%s: a page of something else: %v", name, err)
		}
	}
	// Introspect needs a document.
	client, _ := returns(t, http.StatusOK, "")
	if _, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"}); !errors.Is(err, globusauth.ErrMalformedResponse) {
		t.Errorf("Introspect: %v", err)
	}
}

// The lenient decoder returns what the strict one does, if that succeeds, and never
// makes a token active.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"active":true,"aud":"a"}`, `{"active":"true"}`, `{"active":true,"exp":"1"}`, `{"active":true,"session_info":{"authentications":[]}}`,
		`{"active":true,"policy_evaluations":{"p":7}}`, `{"identity_set_detail":["s"],"active":true,"active":1}`, `{"aud":[1,"a",{}]`, `{"aud":"\ud800"}`, `[]`, ``,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client, err := globusauth.New(globusauth.Config{
			HTTPClient: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), Request: req}, nil
			})}, Credentials: globusauth.Basic("id", "secret"), MaxRetries: -1,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Introspect(t.Context(), gen.IntrospectRequest{Token: "t"})
		var strict gen.Introspection
		strictErr := json.Unmarshal(body, &strict)
		if strictErr == nil && (err != nil || !reflect.DeepEqual(*got, strict)) {
			t.Errorf("%q: %v, read as %+v, want %+v", body, err, got, strict)
		}
		if err == nil && got.Active && !bytes.Contains(bytes.ToLower(body), []byte("true")) {
			t.Errorf("%q is active", body)
		}
		if err != nil && (len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\r\n")) {
			t.Errorf("error %q", err)
		}
	})
}

// A complete token response is kept, whatever surrounds it and however the connection ends.
func TestClientToken_WholeResponse(t *testing.T) {
	t.Parallel()
	const document = `{"access_token":"SECRET-a","resource_server":"rs"}`
	for name, test := range map[string]struct {
		body   string
		length int // Content-Length; -1: chunked, without the last chunk
		fails  bool
		log    string
	}{
		"byte order mark":         {body: "\ufeff" + document},
		"a page behind it":        {body: document + "<!-- SECRET-p -->", log: "what follows the document"},
		"a byte behind it":        {body: document + "\x00", log: "what follows the document"},
		"another document":        {body: document + ` {"access_token":"SECRET-b","resource_server":"rs"}`, log: "what follows the document"},
		"a list, and a page":      {body: "[" + document + "]<", log: "what follows the document"},
		"shorter than announced":  {body: document, length: 500, log: "broke off"},
		"no last chunk":           {body: document, length: -1, log: "broke off"},
		"broke off in a document": {body: document[:len(document)-3], length: 500, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			client := serve(t, globusauth.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(w http.ResponseWriter, _ *http.Request) {
				if test.length > 0 {
					w.Header().Set("Content-Length", strconv.Itoa(test.length))
				}
				_, _ = io.WriteString(w, test.body)
				if test.length != 0 {
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
			})
			got, err := client.Token(t.Context(), gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, RefreshToken: "r"})
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if !test.fails && got.AccessToken != "SECRET-a" && (len(got.OtherTokens) != 1 || got.OtherTokens[0].AccessToken != "SECRET-a") {
				t.Errorf("got %+v", got)
			}
			if !strings.Contains(log.String(), test.log) || test.log == "" && log.Len() > 0 || strings.Contains(log.String(), "SECRET") {
				t.Errorf("log %s, want %q", log.String(), test.log)
			}
		})
	}
}
