package apierror_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/globusauth/globusauth/apierror"
)

const secret = "SECRET-a+b/c=dEfGhIjKlMnOpQrStUv"

// shown is everything that fmt, encoding/json and log/slog make of an error, on
// its own, copied, within another error and within a struct.
func shown(tb testing.TB, e *apierror.Error) string {
	tb.Helper()
	var b bytes.Buffer
	wrapped := fmt.Errorf("app: %w", e)
	holder := struct {
		Err  error
		Own  *apierror.Error
		Copy apierror.Error
	}{e, e, *e}
	for _, v := range []any{e, *e, wrapped, holder, &holder, []error{e}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
	}
	for _, v := range []any{e, *e, holder} {
		raw, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		b.Write(raw)
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&b, options), slog.NewJSONHandler(&b, options)} {
		slog.New(handler).Error("failed", "err", e, "value", *e, "wrapped", wrapped, "holder", holder)
	}
	return b.String()
}

// written is what the verbs make of a text: as it is, escaped, in hexadecimal, as
// a list of bytes.
func written(texts ...string) []string {
	var forms []string
	for _, text := range texts {
		quoted := strconv.Quote(text)
		forms = append(forms, text, quoted[1:len(quoted)-1], fmt.Sprintf("%x", text), fmt.Sprintf("% d", []byte(text)))
	}
	for i, form := range forms {
		forms[i] = strings.Trim(form, "[]")
	}
	return forms
}

// summary is all that does not depend on addresses.
func summary(tb testing.TB, e *apierror.Error) string {
	tb.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s\n%q\n%v\n", e, raw, e.Body(), e.Header())
}

func TestError_ShowsNoBodyAndNoHeaders(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"Content-Type":     {"application/json"},
		"Set-Cookie":       {"session=" + secret},
		"Authorization":    {"Bearer " + secret},
		"Www-Authenticate": {secret},
		"Location":         {"https://example.org/?code=" + secret},
		"Retry-After":      {secret},
		"Date":             {secret},
	}
	bodies := map[string]string{
		"unknown fields": `{"code":"X","message":"m","access_token":"` + secret + `","nested":{"refresh_token":["` + secret + `"]}}`,
		"known fields":   `{"code":1,"message":["` + secret + `"],"errors":"` + secret + `","request_id":{"a":"` + secret + `"}}`,
		"subdocument":    `{"errors":[{"code":"X","status":"` + secret + `","source":{"pointer":"` + secret + `"},"title":"t","detail":"d"}]}`,
		"in a list":      `["` + secret + `"]`,
		"a string":       `"` + secret + `"`,
		"truncated":      `{"code":"` + secret,
		"two values":     `{"code":"` + secret + `"} {}`,
		"duplicate":      `{"code":"` + secret + `","code":"X"}`,
	}
	for name, body := range bodies {
		for _, media := range []string{"application/json", "application/vnd.api+json", "text/html", ""} {
			t.Run(name+" "+media, func(t *testing.T) {
				t.Parallel()
				h := header.Clone()
				h.Set("Content-Type", media)
				e := apierror.FromResponse("do it", 500, h, []byte(body))
				output := shown(t, e)
				for _, form := range written(secret) {
					if i := strings.Index(output, form); i >= 0 {
						t.Errorf("shown: …%s", output[max(0, i-100):i+len(form)])
					}
				}
				if string(e.Body()) != body {
					t.Error("Body() lost something")
				}
			})
		}
	}
}

func TestFromResponse_Secrets(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("pad ", 2000)
	bodies := map[string]string{
		"type zero":     `{"code":"` + secret + `","message":"you sent ` + secret + `!","request_id":"` + secret + `"}`,
		"errors":        `{"errors":[{"code":"` + secret + `","detail":"` + secret + `","id":"` + secret + `"}],"error":"` + secret + `"}`,
		"OAuth2":        `{"error":"` + secret + `","error_description":"code=` + url.QueryEscape(secret) + `"}`,
		"path":          `{"code":"X","message":"no such thing: /` + url.PathEscape(secret) + `"}`,
		"JSON escapes":  `{"code":"X","message":"` + strings.ReplaceAll(secret, "/", `\/`) + `"}`,
		"twice":         `{"code":"X","message":"` + secret + secret + `"}`,
		"long":          `{"code":"X","message":"` + secret + long + secret + `"}`,
		"requirement":   `{"code":"` + secret + `","authorization_parameters":{"session_message":"` + secret + `","prompt":"` + secret + `","required_scopes":["` + secret + `"],"session_required_identities":["` + secret + `"],"session_required_policies":["` + secret + `"],"session_required_single_domain":["` + secret + `"],"extra":"` + secret + `","` + secret + `":1}}`,
		"other consent": `{"code":"ConsentRequired","required_scope":"` + secret + `","description":"` + secret + `"}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := apierror.FromResponse("do it", 403, jsonHeader(), []byte(body))
			safe := apierror.FromResponse("do it", 403, jsonHeader(), []byte(body), "short", "", secret)
			output := shown(t, safe)
			for _, form := range written(secret, url.QueryEscape(secret), url.PathEscape(secret)) {
				if i := strings.Index(output, form); i >= 0 {
					t.Errorf("still shown: …%s", output[max(0, i-100):i+len(form)])
				}
			}
			if !strings.Contains(output, "[redacted]") {
				t.Errorf("nothing says that something was redacted: %s", output)
			}
			if string(safe.Body()) != body {
				t.Error("Body() is not what was sent")
			}
			if (safe.Authorization == nil) != (e.Authorization == nil) {
				t.Error("the authorization parameters are lost")
			}
		})
	}
}

// A secret of which the limit of a message left only the beginning is replaced
// too: no 6 bytes of it remain, wherever the cut falls.
func TestFromResponse_Secrets_CutSecret(t *testing.T) {
	t.Parallel()
	for pad := 4096 - len(secret) - 8; pad <= 4096+4; pad++ {
		for _, tail := range []string{"", " and more of it"} {
			message := strings.Repeat("p", pad-1) + "=" + secret + tail
			bodies := []string{
				`{"error":"x","error_description":"` + message + `"}`,
				`{"errors":[{"detail":"` + message + `"},{"detail":"y"}]}`,
				`{"authorization_parameters":{"session_message":"` + message + `"}}`,
			}
			for _, body := range bodies {
				raw, err := json.Marshal(apierror.FromResponse("do it", 400, jsonHeader(), []byte(body), secret))
				if err != nil {
					t.Fatal(err)
				}
				if i := strings.Index(string(raw), secret[:6]); i >= 0 {
					t.Fatalf("padding %d, tail %q: %s", pad, tail, raw[i-1:])
				}
			}
		}
	}
}

func TestFromResponse_Secrets_LeavesTheRest(t *testing.T) {
	t.Parallel()
	body := `{"code":"ConsentRequired","message":"short is short","request_id":"id",
		"authorization_parameters":{"required_scopes":["s"],"session_required_mfa":false,"new":1}}`
	header := jsonHeader()
	header.Set("Retry-After", "3")
	e := apierror.FromResponse("do it", 403, header, []byte(body))
	for _, secrets := range [][]string{nil, {"short"}, {"not in it at all"}} {
		safe := apierror.FromResponse("do it", 403, header, []byte(body), secrets...)
		if diff := cmp.Diff(e, safe, cmpopts.IgnoreUnexported(apierror.Error{})); diff != "" {
			t.Errorf("redacting %q changed the error (-want +got):\n%s", secrets, diff)
		}
		if diff := cmp.Diff(summary(t, e), summary(t, safe)); diff != "" {
			t.Errorf("redacting %q changed the error (-want +got):\n%s", secrets, diff)
		}
	}
}

func TestFromResponse_Secrets_Forms(t *testing.T) {
	t.Parallel()
	const secret = "S3CR3T&<\"p'w>\xc3\xbf??>"
	for name, echo := range map[string]string{
		"as it is": secret, "HTML": html.EscapeString(secret), "quoted": strings.Trim(strconv.Quote(secret), `"`),
		"JSON": `S3CR3T\u0026\u003c\"p'w\u003eÿ??\u003e`, "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64url": base64.URLEncoding.EncodeToString([]byte(secret)),
		"hex": hex.EncodeToString([]byte(secret)), "upper-case hex": fmt.Sprintf("%X", secret),
	} {
		body, err := json.Marshal(map[string]string{"code": "X", "message": "you sent " + echo + " to us"})
		if err != nil {
			t.Fatal(err)
		}
		e := apierror.FromResponse("do it", 400, jsonHeader(), body, "S3CR3T", secret)
		if got := strings.TrimRight(strings.TrimSuffix(e.Message, " to us"), "="); got != "you sent [redacted]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	e := apierror.FromResponse("do it", 400, http.Header{"Content-Type": {"text/" + secret}}, []byte("x"), secret)
	if text := e.Error(); !strings.Contains(text, "1 bytes of text/[redacted]") {
		t.Errorf("in the content type: %s", text)
	}
}
