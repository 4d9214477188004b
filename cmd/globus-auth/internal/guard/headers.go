package guard

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/globusauth/globusauth/resourceserver"
)

// The headers that say who is calling. They are in the canonical form of net/http.
const (
	headerSubject         = "X-Globus-Subject"
	headerUsername        = "X-Globus-Username"
	headerName            = "X-Globus-Name"
	headerEmail           = "X-Globus-Email"
	headerClient          = "X-Globus-Client-Id"
	headerScope           = "X-Globus-Scope"
	headerIdentities      = "X-Globus-Identities"
	headerSessionIdentity = "X-Globus-Session-Identity"
	headerService         = "X-Globus-Service"
	headerAssertion       = "X-Globus-Assertion"
)

// reserved are the folded names of the caller headers, which clients may not set.
var reserved = map[string]bool{
	"xglobussubject": true, "xglobususername": true, "xglobusname": true, "xglobusemail": true, "xglobusclientid": true,
	"xglobusscope": true, "xglobusidentities": true, "xglobussessionidentity": true, "xglobusservice": true, "xglobusassertion": true,
}

// overrides are the folded names of headers with which some programs replace the method or path of a request.
var overrides = map[string]bool{
	"xhttpmethod": true, "xhttpmethodoverride": true, "xmethodoverride": true, "xoriginalurl": true, "xrewriteurl": true,
}

// origins are those about the origin of a request. Those that start with X-Forwarded- are removed too.
var origins = map[string]bool{"xrealip": true, "forwarded": true}

// isReserved reports whether a header is one of the caller headers or overrides, for a program that does not tell
// X-Globus-Subject from x_globus_subject or x.globus.subject, such as one behind CGI or WSGI.
func isReserved(name string) bool {
	var buffer [maxFolded]byte
	folded := fold(&buffer, name)
	return reserved[string(folded)] || overrides[string(folded)]
}

// strip removes headers that clients may not set.
func strip(header http.Header) {
	var buffer [maxFolded]byte
	for name := range header {
		folded := fold(&buffer, name)
		if reserved[string(folded)] || overrides[string(folded)] || origins[string(folded)] || bytes.HasPrefix(folded, []byte("xforwarded")) {
			delete(header, name)
		}
	}
}

// maxFolded is longer than any name above.
const maxFolded = 32

// fold returns the start of a name in lower case, without anything but letters and digits.
func fold(buffer *[maxFolded]byte, name string) []byte {
	folded := buffer[:0]
	for i := 0; i < len(name) && len(folded) < maxFolded; i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			folded = append(folded, c)
		}
	}
	return folded
}

// setCaller adds the headers about a caller. An anonymous caller has none.
func setCaller(header http.Header, caller *resourceserver.CallerInfo, assertion string) {
	if caller == nil {
		return
	}
	set := func(name, value string) {
		if value != "" {
			header[name] = []string{printable(value)}
		}
	}
	set(headerSubject, caller.Subject)
	set(headerUsername, caller.Username)
	set(headerName, caller.Name)
	set(headerEmail, caller.Email)
	set(headerClient, caller.ClientID)
	set(headerScope, caller.Scope)
	set(headerIdentities, strings.Join(caller.Identities, " "))
	set(headerSessionIdentity, caller.SessionIdentity)
	if caller.Service {
		set(headerService, "true")
	}
	set(headerAssertion, assertion)
}

// printable encodes what is not printable ASCII, and the percent sign, as in URLs.
func printable(value string) string {
	special := func(c byte) bool { return c < ' ' || c > '~' || c == '%' }
	for i := range len(value) {
		if special(value[i]) {
			return encode(value, special)
		}
	}
	return value
}

func encode(value string, special func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; special(c) {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
