package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// mutation is a defect that the unit tests of a package have to notice.
type mutation struct {
	what     string
	file     string // below sidecar/internal; the tests are those of its package
	old, new string // old stands in the file once
}

var mutations = []mutation{
	{"frames are lost when the log is trimmed", "hub/log.go", "rest := l.frames[drop:]", "rest := l.frames[min(drop+1, len(l.frames)):]"},
	{"whoever joins late misses the beginning", "hub/flight.go", "place: len(f.readers), wake:", "place: len(f.readers), next: f.log.end(), wake:"},
	{"a window stays open beyond its limit", "hub/append.go", "if f.open && f.log.size > f.hub.config.Replay {", "if false {"},
	{"a window opens again after frames were dropped", "hub/flight.go", "open = open && f.log.first == 0 && f.key", "open = open && f.key"},
	{"a flight goes on for nobody", "hub/flight.go", "	f.over = true\n	f.mu.Unlock()\n	f.cancel(ErrNobody)", "	f.over = true\n	f.mu.Unlock()"},
	{"a flight lingers long after dispatch", "hub/flight.go", "d = f.hub.config.LingerAfter", "d = f.hub.config.LingerBefore"},
	{"a reader that waits is not woken again", "hub/subscription.go", "		s.parked = false\n", "		_ = s\n"},
	{"slow readers are never cut off", "hub/append.go", "f.written-s.taken > bound", "f.written-s.taken > 1000*bound"},
	{"frames bypass the log of a flight that others may join", "hub/append.go", "if len(f.readers) != 1 || f.open || f.undecided {", "if len(f.readers) != 1 || f.undecided {"},
	{"the outcome of a run that panics is lost", "hub/flight.go", "outcome = f.hub.config.Broken(recover())", "recover()"},
	{"others' repeated requests join", "hub/join.go", "case repeat && s.known && !s.appended:", "case repeat && !s.appended:"},

	{"an event is given out before it is whole", "sse/scanner.go", "if nl < 0 || nl+1 >= len(line) || line[nl+1] != '\\n' {", "if nl < 0 || nl+1 >= len(line) {"},
	{"events are overwritten after they were given out", "sse/scanner.go", "			s.shared = true\n", ""},
	{"a torn tail passes for a clean end", "sse/scanner.go", "if len(line) > 0 && line[0] != ':' {", "if len(line) > 1<<30 && line[0] != ':' {"},

	{"a lease is leaked", "relay/flight.go", "	defer lease.Release()\n", ""},
	{"finish without [DONE] is taken for truncation", "relay/stream.go", "if s.finished >= s.choices && (", "if false && ("},
	{"truncation is taken for completion", "relay/stream.go", "return ending{how: clipped, err: err}", "return s.complete()"},
	{"an engine's error is passed on as content", "relay/family.go", `case e.Name == "error":`, `case false:`},
	{"a flight is tried again after a frame", "relay/ending.go", "!e.appended && !e.second && !e.spent", "!e.second"},
	{"an upload of which a part is gone is tried again", "relay/ending.go", " && !e.spent {", " {"},
	{"what is always the same is not shared on a slot that is up", "relay/flight.go", "Decide(cold || f.shared)", "Decide(cold)"},
	{"a second crash is taken for a first", "relay/flight.go", "suspect := f.relay.suspects.has(f.key)", "suspect := false"},
	{"a flight is tried again and again", "relay/ending.go", "&& !e.second && ", "&& "},
	{"tenants share flights", "relay/key.go", "[]string{r.Scope, ", "[]string{\"\", "},
	{"neighbouring big numbers are the same", "relay/key.go", "math.Abs(v) >= 1<<53", "math.Abs(v) > 1e308"},
	{"requests with effects are shared", "relay/policy.go", "t.effects || ", ""},
	{"engines see the client's key", "relay/headers.go", `"Openai-Beta", `, `"Openai-Beta", "X-Api-Key", `},
	{"engines fetch what a client names", "relay/media.go", "	if w.external(literal) {\n		w.found", "	if false {\n		w.found"},

	{"a stream ends twice", "api/reply_end.go", "p.last(o.Final(p.o.Family, f))", "p.last(o.Final(p.o.Family, f))\n\t\t\tp.last(o.Final(p.o.Family, f))"},
	{"a body that breaks off ends as if it were whole", "api/reply_end.go", "p.told.Aborted = true", ""},
	{"what is not a stream is committed", "api/reply_end.go", "if !stream || after < 0 {", "if after < 0 {"},
	{"heartbeats come late", "api/replier.go", "return p.wrote.Add(p.o.Heartbeat).Sub(now)", "return p.wrote.Add(2 * p.o.Heartbeat).Sub(now)"},
}

// The tests are tested: each planted defect has to make them fail. In the short
// form, it is only checked that each defect can still be planted.
func TestIssue4Bar1PlantedDefects(t *testing.T) {
	root, err := filepath.Abs("../sidecar/internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(m.what, func(t *testing.T) {
			path := filepath.Join(root, m.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), m.old); n != 1 {
				t.Fatalf("%s holds %d of %q, want one", m.file, n, m.old)
			}
			if bed.Long() {
				plant(t, path, strings.Replace(string(text), m.old, m.new, 1))
			}
		})
	}
}

// plant runs the tests of the package that the file belongs to with another
// text in the file's place.
func plant(t *testing.T, path, text string) {
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("go", append(args, "-overlay", overlay, ".")...)
		cmd.Dir = filepath.Dir(path)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("vet"); err != nil {
		t.Fatal(fmt.Sprintf("the defect does not compile:\n%s", out))
	}
	if out, err := run("test", "-timeout", "60s"); err == nil {
		t.Errorf("no test noticed it:\n%s", out)
	}
}
