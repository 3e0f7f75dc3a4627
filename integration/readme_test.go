package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// snippet is the readme's first code block of a language that holds a text.
func snippet(t *testing.T, language, holds string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(bed.Root(), "readme.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(b), "```"+language+"\n")[1:] {
		code, _, _ := strings.Cut(block, "```")
		if strings.Contains(code, holds) {
			return code
		}
	}
	t.Fatalf("the readme has no %s with %q", language, holds)
	return ""
}

// The readme's curl and Python as they stand, but for the port, against
// `hal0 up` and against Traefik under both names.
func TestReadmeCommandsWork(t *testing.T) {
	curl, python := snippet(t, "sh", "curl"), snippet(t, "python", "OpenAI")
	interpreter := bed.Python(t)
	_, edge := stack(t)
	_, upAddr := up(t, "--llamaServer="+bed.Tool(t, "llama-server"), "--model="+bed.Model(t, "count.gguf"))
	port := upAddr[strings.LastIndex(upAddr, ":")+1:]
	// What the LAN's name server does for hal0.lan.
	names := t.TempDir()
	site := "import socket\nreal = socket.getaddrinfo\n" +
		"socket.getaddrinfo = lambda host, *a, **k: real('127.0.0.1' if host in ('hal0.lan', b'hal0.lan') else host, *a, **k)\n"
	if err := os.WriteFile(filepath.Join(names, "sitecustomize.py"), []byte(site), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"localhost:" + port, edge.Web("localhost"), edge.Web("hal0.lan")} {
		_, port, _ := strings.Cut(at, ":")
		t.Run("curl "+at, func(t *testing.T) {
			line := strings.ReplaceAll(curl, "curl http://localhost:8080", "curl -sS --resolve hal0.lan:"+port+":127.0.0.1 http://"+at)
			out := command(t, nil, "sh", "-c", line)
			if said := strings.TrimSpace(text(t, out)); said != counted || !strings.HasSuffix(out, "data: [DONE]\n\n") {
				t.Errorf("curl printed %q", out)
			}
		})
		t.Run("python "+at, func(t *testing.T) {
			program := strings.ReplaceAll(python, "localhost:8080", at)
			out := command(t, []string{"PYTHONPATH=" + names}, interpreter, "-c", program)
			if strings.TrimSpace(out) != counted {
				t.Errorf("python printed %q", out)
			}
		})
	}
}

// command runs a program to its end and returns what it printed.
func command(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(bed.Environment(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	return out.String()
}
