package emulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

const (
	rows        = 100                       // of each list on the dashboard
	longestMove = 10 * 365 * 24 * time.Hour // of the clock, by one button
)

// dashboardView is what the dashboard shows.
type dashboardView struct {
	FormToken, Problem, Done string
	Address                  string
	Now                      string
	Moved                    string            // by how much the clock was advanced
	Names                    map[string]string // of what is referred to by its ID
	Users                    []authtest.User
	Clients                  []clientRow
	Tokens                   []tokenRow
	Consents                 []consentRow
	MoreUsers, MoreClients   int
	MoreTokens, MoreConsents int
	Keys                     []string
	Faults                   []faultRow
	Operations               []string
	Entered                  url.Values // into the form of a fault
	Requests                 []requestRow
	Recorded                 int
}

// Time writes the time of a login.
func (dashboardView) Time(seconds int64) string {
	return time.Unix(seconds, 0).UTC().Format(time.DateTime)
}

// kindRow is a kind of fault in words.
type kindRow struct {
	Value authtest.FaultKind
	Name  string
}

// Kinds are the kinds of faults that can be chosen.
func (dashboardView) Kinds() []kindRow {
	return []kindRow{
		{authtest.FaultStatus, "Respond with an error status"},
		{authtest.FaultLatency, "Respond late"},
		{authtest.FaultDropBefore, "Drop the connection before the request is handled"},
		{authtest.FaultDropAfter, "Drop the connection after the request was handled"},
		{authtest.FaultTruncate, "Drop the connection in the middle of the body"},
		{authtest.FaultMalformed, "Respond with malformed JSON"},
		{authtest.FaultContentType, "Respond with the content type text/html"},
		{authtest.FaultSlowBody, "Send the body slowly"},
	}
}

type (
	clientRow struct {
		authtest.Client
		Secrets []string
	}
	tokenRow   struct{ Kind, Short, Ref, Client, Person, Scopes, Lifetime string }
	consentRow struct {
		ID, Person, Client, Scope, Label, LastUse string
		Dependency, Refresh                       bool
	}
	faultRow   struct{ ID, What, Counts string }
	requestRow struct {
		requestDocument
		Failed     bool
		Parameters []string
	}
)

func (e *emulator) showDashboard(w http.ResponseWriter, r *http.Request) {
	done := map[string]string{
		"advance": "The clock was moved.", "rotate": "A new key signs from now on.", "expire": "The token has expired.",
		"revoke": "The consent is revoked, and the tokens that depend on it are invalid.", "inject": "The fault is set.",
		"clear": "The faults are cleared.", "forget": "The requests and counts are discarded.", "reset": "The initial state is restored.",
	}[r.URL.Query().Get("done")]
	e.writeDashboard(w, r, dashboardView{Done: done})
}

func (e *emulator) writeDashboard(w http.ResponseWriter, r *http.Request, view dashboardView) {
	browser := e.forms.Browser(r, strings.HasPrefix(e.BaseURL(), "https:"))
	world := e.Snapshot()
	view.FormToken, view.Address = e.forms.Token(browser), e.BaseURL()
	view.Now = e.Now().Format("2006-01-02 15:04:05 MST")
	if moved := world.State.Advanced; moved > 0 {
		view.Moved = pages.Duration(moved) + " ahead"
	} else if moved < 0 {
		view.Moved = pages.Duration(-moved) + " behind"
	}
	view.Names = namesOf(world)
	view.Users, view.MoreUsers = firstRows(world.Users)
	view.addClients(world)
	view.addTokens(world, e.Now())
	view.addConsents(world)
	for n, key := range world.State.Keys {
		view.Keys = append(view.Keys, describeKey(key.ID, n == 0))
	}
	for _, f := range world.Faults {
		view.Faults = append(view.Faults, faultRow{f.ID, describeFault(f), "matched " + strconv.Itoa(f.Seen) + ", applied " + strconv.Itoa(f.Fired)})
	}
	for method := range reflect.TypeFor[server.StrictServerInterface]().Methods() {
		view.Operations = append(view.Operations, string(unicode.ToLower(rune(method.Name[0])))+method.Name[1:])
	}
	requests := e.shortRequests()
	view.Recorded = len(requests)
	for _, request := range requests[:min(len(requests), rows/2)] {
		view.Requests = append(view.Requests, request.row())
	}
	page := pages.Page{Status: http.StatusOK, Name: "dashboard.html", Title: "Dashboard", Wide: true, View: view, Cookies: browser.Cookies}
	if view.Problem != "" {
		page.Status = http.StatusUnprocessableEntity
	}
	if err := page.Write(w); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
	}
}

// namesOf returns the names of what a world refers to by ID.
func namesOf(world authtest.World) map[string]string {
	names := map[string]string{}
	for _, p := range world.Providers {
		names[p.ID] = p.Name
	}
	for _, p := range world.Projects {
		names[p.ID] = p.Name
	}
	for _, c := range world.Clients {
		names[c.ID] = c.Name
		for _, s := range c.Scopes {
			names[s.ID] = s.Scope
		}
	}
	for _, u := range world.Users {
		for _, each := range append(u.Linked, u) {
			names[each.ID] = each.Username
		}
	}
	return names
}

// firstRows returns the rows that are shown, and the number of the others.
func firstRows[T any](list []T) (shown []T, more int) {
	return slices.Clip(list[:min(len(list), rows)]), max(0, len(list)-rows)
}

// newest is firstRows of a list whose newest entry is the last.
func newest[T any](list []T) (shown []T, more int) {
	slices.Reverse(list)
	return firstRows(list)
}

// addClients lists the clients; those without a project, such as the resource
// servers of Globus, come last.
func (v *dashboardView) addClients(world authtest.World) {
	slices.SortStableFunc(world.Clients, func(a, b authtest.Client) int {
		return cmp.Compare(strconv.FormatBool(a.Project == ""), strconv.FormatBool(b.Project == ""))
	})
	shown, more := firstRows(world.Clients)
	v.MoreClients = more
	for _, c := range shown {
		row := clientRow{Client: c}
		for _, credential := range c.Credentials {
			row.Secrets = append(row.Secrets, shorten(credential.Secret))
		}
		v.Clients = append(v.Clients, row)
	}
}

// addTokens lists the valid tokens, the newest of each kind first.
func (v *dashboardView) addTokens(world authtest.World, now time.Time) {
	scopes := map[int64]string{}
	for _, c := range world.State.Consents {
		scopes[c.ID] = v.Names[c.Scope]
	}
	access, moreAccess := newest(world.State.Access)
	refresh, moreRefresh := newest(world.State.Refresh)
	v.MoreTokens = moreAccess + moreRefresh
	for n, t := range append(access, refresh...) {
		row := tokenRow{
			Kind: "access", Short: shorten(t.Value), Ref: tokenRef(t.Value), Client: v.Names[t.Client], Person: v.Names[t.Identity],
			Lifetime: pages.Duration(t.Ends.Sub(now)),
		}
		if n >= len(access) {
			row.Kind = "refresh"
		}
		for _, id := range t.Consents {
			row.Scopes += scopes[id] + " "
		}
		v.Tokens = append(v.Tokens, row)
	}
}

// tokenRef names a token without revealing it.
func tokenRef(value string) string {
	hash := sha256.Sum256([]byte(value))
	return hex.EncodeToString(hash[:12])
}

func (v *dashboardView) addConsents(world authtest.World) {
	shown, more := newest(world.State.Consents)
	v.MoreConsents = more
	for _, c := range shown {
		v.Consents = append(v.Consents, consentRow{
			ID: strconv.FormatInt(c.ID, 10), Person: v.Names[c.Identity], Client: v.Names[c.Client], Scope: v.Names[c.Scope], Label: c.Label,
			LastUse: c.LastUsed.UTC().Format(time.DateTime), Dependency: c.Parent != 0, Refresh: c.AllowsRefresh,
		})
	}
}

func describeKey(id string, signs bool) string {
	words := "RSA, RS512"
	if id != "" {
		words += ", ID " + id
	}
	if signs {
		words += ", signs"
	}
	return words
}

// describeFault says what a fault does, as it is written in a world.
func describeFault(f authtest.Fault) string {
	f.ID, f.Seen, f.Fired = "", 0, 0
	text, err := yaml.Marshal(f)
	if err != nil {
		return string(f.Kind)
	}
	return strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(string(text), "kind: ")), "\n", ", ")
}

func (r requestDocument) row() requestRow {
	row := requestRow{requestDocument: r, Failed: r.Status == 0 || r.Status >= http.StatusBadRequest}
	row.Path = pages.Clip(r.Path, 2*pages.LongestField)
	for _, values := range []url.Values{r.Query, r.Form} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if name != "form_token" && name != "authtest_visit" {
				row.Parameters = append(row.Parameters, pages.Clip(name+"="+strings.Join(values[name], ", "), 2*pages.LongestField))
			}
		}
	}
	return row
}

// submitDashboard does what a button of the dashboard says.
func (e *emulator) submitDashboard(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if !e.forms.Allowed(r) {
		_ = pages.Refused().Write(w) // the browser went away
		return
	}
	anchor, problem := e.act(r)
	if problem != "" {
		e.writeDashboard(w, r, dashboardView{Problem: problem, Entered: r.PostForm})
		return
	}
	w.Header().Set("Location", "/?done="+url.QueryEscape(r.PostFormValue("action"))+"#"+anchor)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// act does what a form says. It returns the part of the dashboard that shows the
// result, or what is wrong.
func (e *emulator) act(r *http.Request) (anchor, problem string) {
	var err error
	switch action := r.PostFormValue("action"); action {
	case "advance":
		d, err := time.ParseDuration(strings.TrimSpace(r.PostFormValue("by")))
		if err != nil || d.Abs() > longestMove {
			return "", "The clock moves by a duration such as 90s, 36h or -1h30m, at most ten years."
		}
		e.Advance(d)
		return "clock", ""
	case "rotate":
		anchor, err = "keys", e.RotateKeys()
	case "reset":
		anchor, err = "clock", e.Reset()
	case "expire":
		if !e.ExpireToken(e.tokenOf(r.PostFormValue("token"))) {
			return "", "The token no longer exists."
		}
		return "tokens", ""
	case "revoke":
		if !e.revoke(r.PostFormValue("consent")) {
			return "", "The consent no longer exists."
		}
		return "consents", ""
	case "inject":
		anchor, err = "faults", e.injectForm(r.PostForm)
	case "clear":
		e.ClearFaults(r.PostForm["fault"]...)
		return "faults", ""
	case "forget":
		e.ResetStats()
		return "requests", ""
	default:
		return "", "Unknown action."
	}
	if err != nil {
		return "", strings.TrimPrefix(err.Error(), "authtest: ")
	}
	return anchor, ""
}

// tokenOf returns the token that the dashboard calls ref, or nothing.
func (e *emulator) tokenOf(ref string) string {
	state := e.Snapshot().State
	for _, t := range append(state.Access, state.Refresh...) {
		if tokenRef(t.Value) == ref {
			return t.Value
		}
	}
	return ""
}

// revoke revokes one consent.
func (e *emulator) revoke(id string) bool {
	for _, c := range e.Snapshot().State.Consents {
		if strconv.FormatInt(c.ID, 10) == id {
			return e.RevokeConsents(c.Identity, id) > 0
		}
	}
	return false
}

// injectForm adds the fault of a form: the fields that are not empty, numbers as
// numbers. Fields that the kind does not use are ignored.
func (e *emulator) injectForm(form url.Values) error {
	kind := authtest.FaultKind(form.Get("kind"))
	fault := object{"kind": kind}
	for _, name := range []string{"operation", "client", "status", "retry_after", "latency", "nth", "times", "probability"} {
		value := strings.TrimSpace(form.Get(name))
		timed := kind == authtest.FaultLatency || kind == authtest.FaultSlowBody
		switch {
		case value == "", name == "latency" && !timed, (name == "status" || name == "retry_after") && kind != authtest.FaultStatus:
		case json.Valid([]byte(value)):
			fault[name] = json.RawMessage(value)
		default:
			fault[name] = value
		}
	}
	document, err := json.Marshal(fault)
	if err != nil {
		return err
	}
	_, err = e.inject(document)
	return err
}
