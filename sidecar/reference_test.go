package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/metrics"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write reference.md")

// TestReference keeps reference.md what the code says: run it with -update after
// a change.
func TestReference(t *testing.T) {
	for _, name := range []string{"HAL0_URL", "HAL0_TOKEN_FILE", "HAL0_API_KEY"} {
		t.Setenv(name, "")
	}
	var b bytes.Buffer
	b.WriteString("# Reference\n\nGenerated from the code; `go test ./sidecar -run Reference -update` writes it.\n")
	writeCommands(&b)
	writeKeys(t, &b)
	writeLabels(&b)
	writeStates(&b)
	writeCodes(&b)
	writeEntries(&b)
	writeMetrics(&b)
	if *update {
		if err := os.WriteFile("reference.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("reference.md is stale; run: go test ./sidecar -run Reference -update")
	}
}

// cell is text in a table of Markdown.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }

// code is text as code, "" where there is none.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func writeCommands(out io.Writer) {
	fmt.Fprintf(out, "\n## Commands\n\n%s\n", exitHelp)
	writeCommand(out, rootCommand(io.Discard))
}

func writeCommand(out io.Writer, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		long := sub.Long
		if long == "" {
			long = sub.Short + "."
		}
		use := strings.TrimSuffix(sub.UseLine(), " [flags]")
		fmt.Fprintf(out, "\n### `%s`\n\n%s\n", use, long)
		first := true
		sub.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			if first {
				fmt.Fprint(out, "\n| flag | meaning | default |\n|---|---|---|\n")
				first = false
			}
			fmt.Fprintf(out, "| `--%s` | %s | %s |\n", f.Name, cell(f.Usage), code(strings.Trim(f.DefValue, "[]")))
		})
		writeCommand(out, sub)
	}
}

func writeKeys(t *testing.T, out io.Writer) {
	cfg := config.Default()
	cfg.State, cfg.Models = "~/.local/state/hal0", "~/.local/share/hal0/models"
	list, err := config.Keys(cfg)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(out, "\n## The sidecar's configuration\n\nA key is `listen.data` in hal0.yml, `--listen.data` as a flag and `HAL0_LISTEN_DATA` in the environment. Plain numbers of durations are seconds.\n\n| key | meaning | default |\n|---|---|---|\n")
	for _, k := range list {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", k.Name, cell(k.Description), code(k.Default))
	}
}

func writeLabels(out io.Writer) {
	fmt.Fprint(out, "\n## The plugin's configuration\n\nKeys below `traefik.http.middlewares.<name>.plugin.hal0.`, and below `route` in hal0.yml.\n\n")
	writeFields(out, "", reflect.TypeFor[plugin.Config]())
}

func writeFields(out io.Writer, prefix string, t reflect.Type) {
	for f := range t.Fields() {
		name := prefix + lower(f.Name)
		switch {
		case f.Name == "Rest":
		case f.Type.Kind() == reflect.Struct:
			writeFields(out, name+".", f.Type)
		case f.Type.Kind() == reflect.Map:
			writeFields(out, name+".<slot>.", f.Type.Elem())
		case f.Type.Kind() == reflect.Slice:
			fmt.Fprintf(out, "- `%s` (list)\n", name)
		default:
			fmt.Fprintf(out, "- `%s`\n", name)
		}
	}
}

func lower(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

func writeStates(out io.Writer) {
	fmt.Fprint(out, "\n## The states of a slot\n\nWhat moves a slot from one to another: [the life of a slot](internal/slot/lifecycle.md), generated as well.\n\n")
	for _, name := range metrics.StateNames() {
		fmt.Fprintf(out, "- `%s`\n", name)
	}
}

func writeCodes(out io.Writer) {
	fmt.Fprint(out, "\n## Error codes\n\n| code | status | type | worth another try | meaning |\n|---|---|---|---|---|\n")
	for _, c := range wire.Codes() {
		again := "no"
		if c.Retryable {
			again = "yes"
		}
		fmt.Fprintf(out, "| `%s` | %d | `%s` | %s | %s |\n", c.Name, c.Status, c.Type, again, cell(c.Meaning))
	}
}

func writeEntries(out io.Writer) {
	fmt.Fprint(out, "\n## The control listener\n\n| entry | for | meaning |\n|---|---|---|\n")
	for _, e := range api.Entries() {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", e.Pattern, e.Access, cell(e.About))
	}
	fmt.Fprint(out, "\nThe dashboard is at `/`. The token is sent as `Authorization: Bearer`; a page of another site is refused.\n")
}

func writeMetrics(out io.Writer) {
	fmt.Fprint(out, "\n## Metrics\n\n`GET /metrics` on the control listener; the Go runtime's and the process's own are there, too.\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, s := range metrics.Catalogue() {
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", s.Name, s.Kind, strings.Join(s.Labels, ", "), cell(s.Help))
	}
}
