package login

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strings"
)

const (
	pageStyle = ":root{color-scheme:light dark}" +
		"body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center}" +
		"main{box-sizing:border-box;width:min(28rem,100% - 2rem);margin:1rem;padding:2rem;border:1px solid #8886;border-radius:.75rem}" +
		"h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem;text-wrap:balance}p{margin:0;overflow-wrap:anywhere}" +
		"a{display:inline-block;margin-top:1.5rem;padding:.6rem 1.25rem;border-radius:.5rem;background:#1f5fbf;color:#fff;font-weight:600;text-decoration:none}"
	pageText = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>` + pageStyle + `</style></head>
<body><main><h1>{title}</h1><p>{message}</p>{link}</main></body></html>
`
)

// showPage responds with a page that holds nothing but the texts of f and its link.
func showPage(w http.ResponseWriter, f Failure) {
	sum := sha256.Sum256([]byte(pageStyle))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	secureHeader(header)
	w.WriteHeader(f.Status)
	link := ""
	if f.Link != "" {
		link = `<a href="` + html.EscapeString(f.Link) + `">` + html.EscapeString(f.LinkText) + "</a>"
	}
	fill := strings.NewReplacer("{title}", html.EscapeString(f.Title), "{message}", html.EscapeString(f.Message), "{link}", link)
	_, _ = io.WriteString(w, fill.Replace(pageText))
}

// secureHeader is for every response: the address of a callback holds a code.
func secureHeader(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}
