// Package dashboard serves the pages with which people look after the box. They
// are embedded as they are written: no build step, nothing from elsewhere.
//
// The pages hold no secret and are open to all; what they show they ask of the
// api, which has the guard. Everything that was made elsewhere (model names, log
// lines, answers) is put into the page as text, never as markup, and the content
// security policy allows no script but these files.
//
// Concurrency: the handler is immutable.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed pages
var pages embed.FS

// policy allows nothing but our own files and our own API.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

type page struct {
	content []byte
	kind    string
	tag     string
}

// Handler serves the pages: the index at /, the others beside it.
func Handler() http.Handler {
	all := read()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		p, ok := all[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", p.kind)
		h.Set("ETag", p.tag)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.content))
	})
}

// read takes the embedded files; that they are there is decided at build time.
func read() map[string]page {
	all := map[string]page{}
	err := fs.WalkDir(pages, "pages", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := pages.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		all[strings.TrimPrefix(name, "pages/")] = page{
			content: content, kind: kindOf(name), tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return all
}

// kindOf does not trust the machine's own table, which may say text/plain.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".html", ".css":
		return "text/" + ext[1:] + "; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}
