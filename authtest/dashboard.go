package authtest

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/spec"
)

// rows bounds each list of the dashboard.
const rows = 100

// pageRoutes registers the pages that are not part of a login.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s.writePage(w, r, s.dashboardPage(r, "", Fault{}))
	})
	mux.HandleFunc("POST /{$}", s.dashboardAction)
	// The emulator has a page here.
	mux.Handle("GET /_authtest/reference", http.RedirectHandler("/_authtest/auth.openapi.yaml", http.StatusFound))
	mux.HandleFunc("GET /_authtest/auth.openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write([]byte(spec.Document()))
	})
}

func (s *Server) writePage(w http.ResponseWriter, r *http.Request, shown page) {
	if err := shown.write(w); err != nil {
		s.engine.writeProblem(w, r, err)
	}
}

// dashboardView is what the dashboard shows.
type dashboardView struct {
	FormToken string
	Problem   string
	Done      string
	Address   string
	Now       string
	Moved     string // by how much the clock was advanced

	Users        []userRow
	MoreUsers    int
	Clients      []clientRow
	MoreClients  int
	Tokens       []tokenRow
	MoreTokens   int
	Consents     []consentRow
	MoreConsents int
	Keys         []string
	Faults       []faultRow
	Kinds        []choiceView
	Operations   []string
	Entered      Fault
	Latency      string
	Requests     []requestRow
	Counted      int
}

type userRow struct {
	Name, Username, ID, Email, Provider, LastLogin string
	Linked                                         []userRow
}

type clientRow struct {
	Name, ID, Kind, Project string
	Secrets, RedirectURIs   []string
	Scopes                  []string
}

type tokenRow struct{ Kind, Short, Ref, Client, Person, Server, Scopes, Life string }

type consentRow struct {
	ID                                    int64
	Person, Client, Scope, Label, LastUse string
	Depth                                 int
	Refresh                               bool
}

type faultRow struct{ ID, What, Counts string }

type requestRow struct {
	Time, Method, Path, Operation string
	Status                        int
	Failed                        bool
	Parameters                    []string
}

// dashboardPage shows the state of the server.
func (s *Server) dashboardPage(r *http.Request, problem string, entered Fault) page {
	view := dashboardView{Problem: problem, Done: doneText(r.URL.Query().Get("done")), Entered: entered}
	if entered.Latency != 0 {
		view.Latency = entered.Latency.String()
	}
	requests := s.shortRequests()
	view.Counted = len(requests)
	for _, request := range requests[:min(len(requests), rows/2)] {
		view.Requests = append(view.Requests, request.row())
	}
	for _, kind := range []FaultKind{
		FaultStatus, FaultLatency, FaultDropBefore, FaultDropAfter, FaultTruncate, FaultMalformed, FaultContentType, FaultSlowBody,
	} {
		view.Kinds = append(view.Kinds, choiceView{Name: kind.inWords(), Value: string(kind), Chosen: kind == entered.Kind})
	}
	view.Operations = s.operations
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.browserOf(r)
	view.FormToken, view.Address = e.formToken(b), e.base(r)+"/"
	view.Now = e.now().Format("2006-01-02 15:04:05 MST")
	if e.advanced > 0 {
		view.Moved = inWords(e.advanced) + " ahead"
	} else if e.advanced < 0 {
		view.Moved = inWords(-e.advanced) + " behind"
	}
	e.addPeople(&view)
	e.addClients(&view)
	e.addTokens(&view)
	e.addConsents(&view)
	for n, key := range e.keys {
		text := "RSA, " + strconv.Itoa(key.private.N.BitLen()) + " bits, RS512"
		if key.id != "" {
			text += ", ID " + key.id
		}
		if n == 0 {
			text += ", signs"
		}
		view.Keys = append(view.Keys, text)
	}
	for _, f := range e.faults {
		view.Faults = append(view.Faults, faultRow{
			ID: f.ID, What: f.inWords(), Counts: "fitted " + strconv.Itoa(f.Seen) + ", applied " + strconv.Itoa(f.Fired),
		})
	}
	shown := page{status: http.StatusOK, name: "dashboard.html", title: "Dashboard", wide: true, view: view, cookies: b.cookies()}
	if problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown
}

func (i *identity) row() userRow {
	row := userRow{Name: i.name, Username: i.username, ID: i.id, Email: i.email, Provider: i.provider.name}
	if !i.lastLogin.IsZero() {
		row.LastLogin = i.lastLogin.UTC().Format(time.DateTime)
	}
	return row
}

func (e *engine) addPeople(view *dashboardView) {
	view.MoreUsers = max(0, len(e.people)-e.gone-rows)
	for person := range e.persons() {
		if len(view.Users) == rows {
			break
		}
		row := person.identities[0].row()
		for _, linked := range person.identities[1:] {
			row.Linked = append(row.Linked, linked.row())
		}
		view.Users = append(view.Users, row)
	}
}

// addClients lists the clients; the resource servers of Globus come last.
func (e *engine) addClients(view *dashboardView) {
	builtin := map[string]bool{}
	for _, known := range services() {
		builtin[known.ID] = true
	}
	ids := slices.Clone(e.ordered.clients)
	slices.SortStableFunc(ids, func(a, b string) int {
		return cmp.Compare(strconv.FormatBool(builtin[a]), strconv.FormatBool(builtin[b]))
	})
	view.MoreClients = max(0, len(ids)-rows)
	for _, id := range ids[:min(len(ids), rows)] {
		c := e.clients[id]
		row := clientRow{Name: c.name, ID: c.id, Kind: string(c.kind), RedirectURIs: slices.Clone(c.redirectURIs)}
		if c.project != nil {
			row.Project = c.project.name
		}
		for _, credential := range c.credentials {
			row.Secrets = append(row.Secrets, shorten(credential.secret))
		}
		for _, s := range c.scopes {
			row.Scopes = append(row.Scopes, s.text)
		}
		view.Clients = append(view.Clients, row)
	}
}

// addTokens lists the tokens that are good, the newest first.
func (e *engine) addTokens(view *dashboardView) {
	type entry struct {
		issued time.Time
		row    func() tokenRow
		value  string
	}
	now := e.now()
	var entries []entry
	for _, t := range e.access {
		if e.alive(t) {
			entries = append(entries, entry{t.issued, func() tokenRow {
				return e.tokenRow("access", t.value, t.client, t.identity, t.server, t.scopes, t.expires.Sub(now))
			}, t.value})
		}
	}
	for _, t := range e.refresh {
		if e.usable(t) {
			entries = append(entries, entry{t.issued, func() tokenRow {
				return e.tokenRow("refresh", t.value, t.client, t.identity, t.server, t.scopes, t.dies.Sub(now))
			}, t.value})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(b.issued.Compare(a.issued), cmp.Compare(a.value, b.value))
	})
	view.MoreTokens = max(0, len(entries)-rows)
	for _, each := range entries[:min(len(entries), rows)] {
		view.Tokens = append(view.Tokens, each.row())
	}
}

func (e *engine) tokenRow(kind, value string, c *client, i *identity, server string, granted []*scope, life time.Duration) tokenRow {
	return tokenRow{
		Kind: kind, Short: shorten(value), Ref: e.tokenRef(value), Client: c.name, Person: i.username, Server: server,
		Scopes: names(granted), Life: inWords(life),
	}
}

// tokenRef names a token without telling it.
func (e *engine) tokenRef(value string) string { return e.pages.mac("token", value) }

func (e *engine) addConsents(view *dashboardView) {
	consents := e.sortedConsents()
	slices.Reverse(consents)
	view.MoreConsents = max(0, len(consents)-rows)
	for _, c := range consents[:min(len(consents), rows)] {
		view.Consents = append(view.Consents, consentRow{
			ID: c.id, Person: c.identity.username, Client: c.client.name, Scope: c.scope.text, Label: c.label,
			LastUse: c.lastUsed.UTC().Format(time.DateTime), Depth: len(c.path) - 1, Refresh: c.allowsRefresh,
		})
	}
}

// shorten keeps enough of a secret to tell it from others.
func shorten(secret string) string { return clip(secret, min(20, len(secret)/2)) + "…" }

func (r requestDocument) row() requestRow {
	row := requestRow{
		Time: r.Time.UTC().Format(time.TimeOnly), Method: r.Method, Path: clip(r.Path, 2*longestField), Operation: r.Operation,
		Status: r.Status, Failed: r.Status == 0 || r.Status >= http.StatusBadRequest,
	}
	for _, values := range []url.Values{r.Query, r.Form} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if name == "form_token" || name == paramVisit {
				continue
			}
			row.Parameters = append(row.Parameters, clip(name+"="+strings.Join(values[name], ", "), 2*longestField))
		}
	}
	return row
}
