package authtest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// longestAdvance bounds how far a button moves the clock at once.
const longestAdvance = 10 * 365 * 24 * time.Hour

// dashboardAction does what a button of the dashboard says.
func (s *Server) dashboardAction(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.engine.mu.Lock()
	allowed := s.engine.formAllowed(r)
	s.engine.mu.Unlock()
	if !allowed {
		_ = s.engine.errorPage(http.StatusForbidden, "FORM_REFUSED", "The form was not sent from this page, or it is too old.")(w)
		return
	}
	done, anchor, problem := s.dashboardDo(r)
	if problem != "" {
		fault, _ := faultOf(r.PostForm) // what can be read of it is shown again
		s.writePage(w, r, s.dashboardPage(r, problem, fault))
		return
	}
	_ = seeOther("/?done=" + url.QueryEscape(done) + "#" + anchor)(w)
}

// dashboardDo does it and returns where to look and what to say, or what was wrong.
func (s *Server) dashboardDo(r *http.Request) (done, anchor, problem string) {
	e := s.engine
	switch action := r.PostFormValue("action"); action {
	case "advance":
		d, err := time.ParseDuration(strings.TrimSpace(r.PostFormValue("by")))
		if err != nil || d < -longestAdvance || d > longestAdvance {
			return "", "", "The clock moves by a duration such as 90s, 36h or -1h30m, ten years at most."
		}
		s.Advance(d)
		return action, "clock", ""
	case "rotate":
		if err := s.RotateKeys(); err != nil {
			return "", "", err.Error()
		}
		return action, "keys", ""
	case "reset":
		if err := s.Reset(); err != nil {
			return "", "", err.Error()
		}
		return action, "clock", ""
	case "expire":
		if !e.expireByRef(r.PostFormValue("token")) {
			return "", "", "The token is not there any more."
		}
		return action, "tokens", ""
	case "revoke":
		id, err := strconv.ParseInt(r.PostFormValue("consent"), 10, 64)
		if err != nil || !e.revokeByID(id) {
			return "", "", "The consent is not there any more."
		}
		return action, "consents", ""
	case "inject":
		fault, problem := faultOf(r.PostForm)
		if problem != "" {
			return "", "", problem
		}
		if _, err := e.inject(fault); err != nil {
			return "", "", strings.TrimPrefix(err.Error(), "authtest: ")
		}
		return action, "faults", ""
	case "clear":
		if id := r.PostFormValue("fault"); id != "" {
			s.ClearFaults(id)
		} else {
			s.ClearFaults()
		}
		return action, "faults", ""
	case "forget":
		s.ResetStats()
		return action, "requests", ""
	}
	return "", "", "The form names no action that there is."
}

func doneText(action string) string {
	return map[string]string{
		"advance": "The clock has moved.", "rotate": "A new key signs from now on.", "expire": "The token has expired.",
		"revoke": "The consent is revoked, and the tokens that stood on it are dead.", "inject": "The fault is set.",
		"clear": "The faults are cleared.", "forget": "The requests and counts are forgotten.",
		"reset": "Everything is as it was at the start.",
	}[action]
}

// expireByRef ends the life of a token that the dashboard lists. It takes the
// lock itself.
func (e *engine) expireByRef(ref string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for value, token := range e.access {
		if e.tokenRef(value) == ref {
			e.dropAccess(token)
			e.changed()
			return true
		}
	}
	for value, token := range e.refresh {
		if e.tokenRef(value) == ref {
			e.dropRefresh(token)
			e.changed()
			return true
		}
	}
	return false
}

// revokeByID takes a consent back. It takes the lock itself.
func (e *engine) revokeByID(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.consents {
		if c.id == id {
			e.revokeConsent(c)
			return true
		}
	}
	return false
}

// faultOf reads the form of a fault.
func faultOf(form url.Values) (Fault, string) {
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	fault := Fault{Kind: FaultKind(text("kind")), Operation: text("operation"), Client: text("client")}
	problem := ""
	number := func(name string, into *int) {
		if text(name) == "" {
			return
		}
		n, err := strconv.Atoi(text(name))
		if err != nil {
			problem = "“" + text(name) + "” is not a number."
			return
		}
		*into = n
	}
	if fault.Kind == FaultStatus {
		number("status", &fault.Status)
		number("retry_after", &fault.RetryAfter)
	}
	number("nth", &fault.Nth)
	number("times", &fault.Times)
	if fault.Kind == FaultLatency || fault.Kind == FaultSlowBody {
		d, err := time.ParseDuration(text("latency"))
		if err != nil {
			problem = "The latency is a duration such as 300ms or 2s."
		}
		fault.Latency = d
	}
	if share := text("probability"); share != "" {
		p, err := strconv.ParseFloat(share, 64)
		if err != nil || p < 0 || p > 1 {
			return fault, "The probability is a number from 0 to 1."
		}
		fault.Probability = p
	}
	return fault, problem
}

// inWords names a kind of fault.
func (k FaultKind) inWords() string {
	switch k {
	case FaultLatency:
		return "Answer late"
	case FaultStatus:
		return "Answer with an error status"
	case FaultDropBefore:
		return "Drop the connection before anything happens"
	case FaultDropAfter:
		return "Drop the connection after everything happened"
	case FaultTruncate:
		return "Drop the connection in the middle of the body"
	case FaultMalformed:
		return "Answer with malformed JSON"
	case FaultContentType:
		return "Answer with the content type text/html"
	case FaultSlowBody:
		return "Send the body slowly"
	case FaultExpiredTLS:
		return "Show an expired certificate"
	}
	return string(k)
}

// inWords says what a fault does, and when.
func (f *Fault) inWords() string {
	text := f.Kind.inWords()
	if f.Status != 0 {
		text += " " + strconv.Itoa(f.Status)
	}
	if f.RetryAfter != 0 {
		text += ", Retry-After " + strconv.Itoa(f.RetryAfter)
	}
	if f.Latency != 0 {
		text += ", " + f.Latency.String()
	}
	if f.Operation != "" {
		text += ", operation " + f.Operation
	}
	if f.Client != "" {
		text += ", client " + f.Client
	}
	if f.Nth != 0 {
		text += ", request number " + strconv.Itoa(f.Nth)
	}
	if f.Times != 0 {
		text += ", " + plural(f.Times, "time")
	}
	if f.Probability != 0 {
		text += ", probability " + strconv.FormatFloat(f.Probability, 'g', 3, 64)
	}
	return text
}
