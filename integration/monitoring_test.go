package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// panels are the expressions of the Grafana dashboard, by panel.
func panels(t *testing.T) (titles, expressions []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(bed.Root(), "examples", "monitoring", "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			titles = append(titles, p.Title)
			expressions = append(expressions, target.Expr)
		}
	}
	return titles, expressions
}

// Bar 3 of what people see: after a run in which things went well and went
// wrong, every panel of the Grafana dashboard finds its series.
func TestPanelsFindTheirSeries(t *testing.T) {
	parser := bed.Tool(t, "client-promql")
	s := bed.NewSidecar(t, "route: {models: {a: {engine: demo, memory: 64MiB, args: \"--load,10ms\"}}}").Start()
	ask := func(status int, body string) {
		t.Helper()
		if got := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: body}); got.Status != status {
			t.Errorf("status %d, want %d: %s", got.Status, status, got.Body())
		} else {
			got.Body()
		}
	}
	const quick = `"hal0_demo":{"tokens_per_second":0}`
	ask(http.StatusBadRequest, body("a", true, `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://192.0.2.1/x.png"}}]}]`))
	ask(http.StatusOK, chat("a", true, quick))
	ask(http.StatusOK, chat("a", true, `"hal0_demo":{"tokens_per_second":0,"fault":"crash","at":3}`))
	ask(http.StatusOK, chat("a", true, quick))
	_, loaded := bed.Get(t, s.ControlURL()+"/metrics")
	s.Move("a", "unload")
	_, unloaded := bed.Get(t, s.ControlURL()+"/metrics")

	titles, expressions := panels(t)
	cmd := exec.Command(parser)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(strings.Join(expressions, "\n"), "$__rate_interval", "5m"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	for i, title := range titles {
		var a struct {
			Series []string
			Error  string
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a.Error != "" || len(a.Series) == 0 {
			t.Errorf("panel %q: %s asks for nothing: %s", title, expressions[i], a.Error)
		}
		for _, name := range a.Series {
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(loaded + unloaded) {
				t.Errorf("panel %q: %s is not in the exposition", title, name)
			}
		}
	}
}
