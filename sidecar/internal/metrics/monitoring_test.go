package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const examples = "../../../examples/monitoring/"

// exposed maps every series that a scrape gives to its labels.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	families, err := busy().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		all[f.GetName()] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			all[f.GetName()+"_bucket"] = append(labels, "le")
			all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = labels, labels
		}
	}
	return all
}

var (
	series   = regexp.MustCompile(`\b((?:hal0|process|go)_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
)

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance"}

// complaints lists what an expression asks for and a scrape does not give.
func complaints(expr string, all map[string][]string) []string {
	var out []string
	known := slices.Clone(scraped)
	found := series.FindAllStringSubmatch(expr, -1)
	for _, m := range found {
		labels, ok := all[m[1]]
		if !ok {
			out = append(out, "no series "+m[1])
			continue
		}
		known = append(known, labels...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(append(labels, scraped...), l[1]) {
				out = append(out, m[1]+" has no label "+l[1])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if len(found) > 0 && !slices.Contains(known, strings.TrimSpace(l)) {
				out = append(out, "nothing has the label "+l)
			}
		}
	}
	return out
}

func TestComplaints(t *testing.T) {
	all := exposed(t)
	for expr, want := range map[string]string{
		`sum by (slot) (rate(hal0_boot_seconds_bucket{slot="a"}[5m]))`: "",
		`hal0_nothing`:                       "no series hal0_nothing",
		`hal0_slot_leases{colour="red"}`:     "hal0_slot_leases has no label colour",
		`sum by (colour) (hal0_slot_leases)`: "nothing has the label colour",
		`hal0_slot_leases_bucket`:            "no series hal0_slot_leases_bucket",
	} {
		if got := strings.Join(complaints(expr, all), "; "); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func TestGrafanaDashboard(t *testing.T) {
	b, err := os.ReadFile(examples + "grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	all, used := exposed(t), string(b)
	for _, p := range d.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, c := range complaints(target.Expr, all) {
				t.Errorf("panel %q: %s", p.Title, c)
			}
		}
	}
	for _, s := range Catalogue() {
		if _, ok := all[s.Name]; !ok {
			t.Errorf("%s is in the catalogue and not in a scrape", s.Name)
		}
		if s.Kind == "counter" && !strings.Contains(used, s.Name) {
			t.Errorf("no panel shows %s", s.Name)
		}
	}
}

func TestAlerts(t *testing.T) {
	b, err := os.ReadFile(examples + "alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	all, n := exposed(t), 0
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			n++
			if r.Expr == "" {
				t.Errorf("%s asks for nothing", r.Alert)
			}
			for _, c := range complaints(r.Expr, all) {
				t.Errorf("%s: %s", r.Alert, c)
			}
		}
	}
	if n == 0 {
		t.Error("there are no rules")
	}
}
