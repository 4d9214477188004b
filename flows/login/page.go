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
	pageStyle = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}"
	pageText  = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>` + pageStyle + `</style></head>
<body><h1>{title}</h1><p>{message}</p></body></html>
`
)

// showPage answers with a page that holds nothing but two texts.
func showPage(w http.ResponseWriter, status int, title, message string) {
	sum := sha256.Sum256([]byte(pageStyle))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	secureHeader(header)
	w.WriteHeader(status)
	fill := strings.NewReplacer("{title}", html.EscapeString(title), "{message}", html.EscapeString(message))
	_, _ = io.WriteString(w, fill.Replace(pageText))
}

// secureHeader is for every answer: the address of a callback holds a code.
func secureHeader(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}
