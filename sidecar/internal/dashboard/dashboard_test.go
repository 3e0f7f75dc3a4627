package dashboard

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/main.js": "text/javascript; charset=utf-8", "/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		w := get(path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if again := get(path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
	for _, path := range []string{"/nothing.js", "/pages/main.js", "/../login.go"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// What the policy would refuse in a browser, or what would put foreign text into
// the page as markup, is not to be written at all.
func TestPagesKeepTheirPolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|<script[^>]*>[^<]|\sstyle="|\son[a-z]+="|https?://`)
	for name, p := range read() {
		text := strings.ReplaceAll(string(p.content), "http://www.w3.org/2000/svg", "")
		if m := forbidden.FindString(text); m != "" {
			t.Errorf("%s holds %q", name, m)
		}
	}
}

// Every id that a script asks for is in the page, and every module is there.
func TestPagesFit(t *testing.T) {
	all := read()
	index := string(all["index.html"].content)
	ids := regexp.MustCompile(`by\('([a-z-]+)'\)|querySelector\('#([a-z-]+)'\)`)
	imports := regexp.MustCompile(`from '\./([a-z]+\.js)'`)
	for name, p := range all {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		for _, m := range ids.FindAllStringSubmatch(string(p.content), -1) {
			if !strings.Contains(index, `id="`+m[1]+m[2]+`"`) {
				t.Errorf("%s asks for #%s%s", name, m[1], m[2])
			}
		}
		for _, m := range imports.FindAllStringSubmatch(string(p.content), -1) {
			if _, ok := all[m[1]]; !ok {
				t.Errorf("%s imports %s", name, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(index, -1) {
		if _, ok := all[m[1]]; !ok {
			t.Errorf("the page names %s", m[1])
		}
	}
}
