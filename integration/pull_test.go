package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// pulled is the name of the model that the hub has.
const pulled = "hf:o/count:Q8_0"

// hub is a model hub with one file. While it is slow it sends ten KiB a second.
type hub struct {
	*httptest.Server
	content []byte
	fast    chan struct{} // closed when it is slow no longer

	mu    sync.Mutex
	asked []string // the Range of each download
}

func newHub(t testing.TB, slow bool) *hub {
	t.Helper()
	content, err := os.ReadFile(bed.Model(t, "count.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{content: content, fast: make(chan struct{})}
	if !slow {
		close(h.fast)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/o/count/tree/main", h.list)
	mux.HandleFunc("GET /o/count/resolve/main/count-Q8_0.gguf", h.send)
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func (h *hub) list(w http.ResponseWriter, _ *http.Request) {
	sum := sha256.Sum256(h.content)
	_ = json.NewEncoder(w).Encode([]map[string]any{{"type": "file", "path": "count-Q8_0.gguf", "size": len(h.content),
		"lfs": map[string]any{"oid": hex.EncodeToString(sum[:]), "size": len(h.content)}}})
}

func (h *hub) send(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, r.Header.Get("Range"))
	h.mu.Unlock()
	select {
	case <-h.fast:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.content))
		return
	default:
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(h.content)))
	for rest := h.content; len(rest) > 0; {
		n := min(len(rest), 1<<10)
		select {
		case <-h.fast:
			n = len(rest)
		case <-time.After(100 * time.Millisecond): // the pace
		case <-r.Context().Done():
			return
		}
		if _, err := w.Write(rest[:n]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		rest = rest[n:]
	}
}

func (h *hub) downloads() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.asked...)
}

// Issue 3: hal0 pull, ended half-way, goes on where it was; models lists what
// is there and removes it.
func TestIssue3Pull(t *testing.T) {
	h, dir := newHub(t, true), t.TempDir()
	run := func(args ...string) *bed.Process {
		cmd := exec.Command(bed.Hal0(t), append(args, "--models="+dir)...)
		cmd.Env = append(bed.Environment(), "HF_ENDPOINT="+h.URL)
		return bed.Start(t, args[0], cmd)
	}
	said := func(want int, args ...string) string {
		t.Helper()
		p := run(args...)
		if code := p.Wait(20 * time.Second); code != want {
			t.Errorf("hal0 %s: exit status %d: %s", strings.Join(args, " "), code, p.Log())
		}
		return p.Log()
	}
	first := run("pull", pulled)
	bed.Until(t, "a part has come", 20*time.Second, func() bool { return strings.Count(first.Log(), "left") > 1 })
	if list := said(0, "models"); !strings.Contains(list, "not whole yet") {
		t.Errorf("models says of half a file: %s", list)
	}
	first.Kill()
	close(h.fast)
	out := said(0, "pull", pulled)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	path := lines[len(lines)-1]
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, h.content) || !strings.Contains(out, "100 %") {
		t.Errorf("pull says %q: %v, %d bytes", out, err, len(got))
	}
	if all := h.downloads(); len(all) != 2 || all[0] != "" || !strings.HasPrefix(all[1], "bytes=") {
		t.Errorf("the hub was asked for %q, want all, then the rest", all)
	}
	if list := said(0, "models"); !strings.Contains(list, pulled) || strings.Contains(list, "not whole") {
		t.Errorf("models says %s", list)
	}
	said(0, "models", "rm", pulled)
	if list := said(0, "models"); strings.Contains(list, "count") {
		t.Errorf("models says %s after rm", list)
	}
	said(1, "models", "rm", pulled)
	said(1, "pull", "hf:o/none")
	said(2, "pull", "count.gguf")
}

// Issue 3: a slot whose model has to be fetched first says how far it is, holds
// nobody for long, and fetches a file once for all who ask.
func TestIssue3Pulling(t *testing.T) {
	bed.Tool(t, "llama-server")
	h := newHub(t, true)
	s := bed.NewSidecar(t, "route: {models: {one: {model: '"+pulled+"', context: '512'}, two: {model: '"+pulled+"', context: '256'}}}")
	s.SetModels(t.TempDir())
	s.Env("HF_ENDPOINT=" + h.URL).Start()
	on := func(id string) bed.Request { return bed.Request{Addr: addr(s), Path: chatPath, Body: chat(id, true)} }
	for _, a := range bed.OpenAll(t, on("one"), on("one"), on("two")) {
		e := wantRefused(t, a, 503, "slot.loading")
		after, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil || after < 60 || !strings.Contains(e.Message, "%") {
			t.Errorf("Retry-After %q: %s", a.Header.Get("Retry-After"), e.Message)
		}
	}
	var shown struct {
		State string
		Pull  struct {
			Done  int64 `json:"done_bytes"`
			Total int64 `json:"total_bytes"`
		}
	}
	_, body := bed.Get(t, s.ControlURL()+"/api/slots/one")
	if err := json.Unmarshal([]byte(body), &shown); err != nil || shown.State != "pulling" || shown.Pull.Total != int64(len(h.content)) || shown.Pull.Done == 0 {
		t.Errorf("/api/slots/one: %v %s", err, body)
	}
	close(h.fast)
	for _, id := range []string{"one", "two"} {
		var answer *bed.Stream
		bed.Until(t, id+" has its model", 30*time.Second, func() bool {
			answer = bed.Open(t, on(id))
			return answer.Status == 200
		})
		if said := strings.TrimSpace(text(t, wantStream(t, answer))); said != counted {
			t.Errorf("%s said %q", id, said)
		}
	}
	if all := h.downloads(); len(all) != 1 {
		t.Errorf("the file was fetched as %q, want once", all)
	}
}

// Issue 3: a fetch that would take the disk's reserve is not begun.
func TestIssue3NoDisk(t *testing.T) {
	h := newHub(t, false)
	s := bed.NewSidecar(t, "disk: {reserve: 1000000GiB}\nroute: {models: {one: {model: '"+pulled+"'}}}")
	s.SetModels(t.TempDir())
	s.Env("HF_ENDPOINT=" + h.URL).Start()
	wantRefused(t, bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("one", true)}), 507, "slot.no_disk")
	if all := h.downloads(); len(all) != 0 {
		t.Errorf("the hub was asked for %q", all)
	}
	cmd := exec.Command(bed.Hal0(t), "pull", pulled, "--models="+t.TempDir())
	cmd.Env = append(bed.Environment(), "HF_ENDPOINT="+h.URL, "HAL0_DISK_RESERVE=1000000GiB")
	p := bed.Start(t, "pull", cmd)
	if code := p.Wait(20 * time.Second); code != 1 || !strings.Contains(p.Log(), "disk") {
		t.Errorf("pull: exit status %d: %s", code, p.Log())
	}
}
