package login

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// showPage responds with a page that holds nothing but the texts of f and its link.
func showPage(w http.ResponseWriter, f Failure) {
	sum := sha256.Sum256([]byte(pageStyle))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	secureHeader(header)
	link := ""
	if f.Link != "" {
		link = `<a href="` + html.EscapeString(f.Link) + `">` + html.EscapeString(f.LinkText) + "</a>"
	}
	fill := strings.NewReplacer("{style}", pageStyle, "{title}", html.EscapeString(f.Title), "{message}", html.EscapeString(f.Message), "{link}", link)
	page := fill.Replace(pageText)
	header.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, page)
}

// secureHeader is for every response: the address of a callback holds a code.
func secureHeader(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}
