package engine

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func help(t *testing.T, name string) flagSet {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parseHelp(string(b))
}

func plan() Plan {
	return Plan{
		Model: wire.Model{Slot: "primary", Model: "hf:org/repo:Q8_0", Capabilities: []string{wire.CapChat, wire.CapCompletion}},
		Path:  "/models/m.gguf", Host: "127.0.0.1", Port: 4711, Key: "secret",
	}
}

func TestParseHelp(t *testing.T) {
	old := help(t, "help-old.txt")
	for _, f := range []string{"--ctx-size", "--parallel", "--model", "--no-webui", "--n-gpu-layers", "--rerank"} {
		if !old[f] {
			t.Errorf("%s is missing", f)
		}
	}
	for _, f := range []string{"--fit", "--no-ui", "--hf-repo"} {
		if old[f] {
			t.Errorf("%s is only mentioned", f)
		}
	}
	now := help(t, "help-0.7.0.txt")
	for _, f := range []string{"--fit", "--no-ui", "--cache-ram", "--sse-ping-interval", "--metrics", "--offline", "--jinja", "--device", "--embeddings", "--reranking", "--log-colors"} {
		if !now[f] {
			t.Errorf("%s is missing", f)
		}
	}
}

func TestLlamaArgs(t *testing.T) {
	var out strings.Builder
	for _, version := range []string{"help-old.txt", "help-0.7.0.txt"} {
		known := help(t, version)
		for _, c := range []struct {
			name   string
			change func(*Plan)
		}{
			{"plain", func(*Plan) {}},
			{"context and parallel", func(p *Plan) { p.Model.Context, p.Model.Parallel = 4096, 3 }},
			{"cpu", func(p *Plan) { p.Place = Place{CPU: true, Env: []string{"CUDA_VISIBLE_DEVICES="}}; p.Threads = 8 }},
			{"two cards", func(p *Plan) {
				p.Place = Place{IDs: []string{"GPU-a", "GPU-b"}, Env: []string{"CUDA_VISIBLE_DEVICES=GPU-a,GPU-b"}}
			}},
			{"args", func(p *Plan) { p.Model.Args = []string{"--temp", "0"} }},
			{"embedding", func(p *Plan) { p.Model.Capabilities = []string{wire.CapEmbedding} }},
			{"rerank", func(p *Plan) { p.Model.Capabilities = []string{wire.CapRerank} }},
			{"chat and embedding", func(p *Plan) { p.Model.Capabilities = []string{wire.CapChat, wire.CapEmbedding} }},
		} {
			p := plan()
			c.change(&p)
			devices := ""
			if p.Place.CPU {
				devices = "none"
			} else if len(p.Place.IDs) > 0 {
				devices = "CUDA0,CUDA1"
			}
			out.WriteString(version + " · " + c.name + "\n\t" + strings.Join(llamaArgs(p, known, devices), " ") + "\n")
		}
	}
	golden(t, "llama-args.golden", out.String())
}

func TestKeyIsNotOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	server := filepath.Join(dir, "llama-server")
	if err := os.WriteFile(server, []byte("#!/bin/sh\necho '-m, --model FNAME  path'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tmpl := range Builtin("/bin/hal0", server) {
		path, args, env, err := tmpl.Command(plan())
		if err != nil {
			t.Fatal(name, err)
		}
		if strings.Contains(path+strings.Join(args, " "), "secret") {
			t.Errorf("%s: the key is in %q", name, args)
		}
		if !strings.HasSuffix(env[0], "=secret") {
			t.Errorf("%s: the key is not in %q", name, env)
		}
	}
}

func TestNoLlamaServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("LLAMA_SERVER", "")
	for _, path := range []string{"", "/no/such/llama-server"} {
		if _, _, _, err := llamaCPP(path).Command(plan()); err == nil || !strings.Contains(err.Error(), "llama-server") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestFlagsAreAskedOncePerFile(t *testing.T) {
	dir := t.TempDir()
	server, asked := filepath.Join(dir, "llama-server"), filepath.Join(dir, "asked")
	write := func(flags string) {
		script := "#!/bin/sh\necho x >> " + asked + "\necho '-m, --model FNAME  path'\necho '" + flags + "'\nexit 1\n"
		if err := os.WriteFile(server, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		b, err := os.ReadFile(asked)
		if err != nil {
			t.Fatal(err)
		}
		return len(b) / 2
	}
	write("--metrics")
	tmpl := llamaCPP(server)
	for range 3 {
		if _, args, _, err := tmpl.Command(plan()); err != nil || args[0] != "--metrics" {
			t.Fatal(args, err)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	write("--no-webui")
	if _, args, _, err := tmpl.Command(plan()); err != nil || args[0] != "--no-webui" || count() != 2 {
		t.Error("a changed file was not asked again:", args, err)
	}
}

func TestCustom(t *testing.T) {
	tmpl, err := New("vllm", Config{
		Command: []string{"vllm", "serve", "{name}", "--port={port}", "--max-model-len={context}", "--api-key={key}", "--x={{1}}", "{args}"},
		Env:     map[string]string{"B": "2", "A": "{slot}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := plan()
	p.Model.Args = []string{"--a", "b"}
	p.Place = Place{IDs: []string{"GPU-1"}, Env: []string{"ROCR_VISIBLE_DEVICES=GPU-1"}}
	path, args, env, err := tmpl.Command(p)
	if err != nil {
		t.Fatal(err)
	}
	wantArgs := []string{"serve", "org/repo:Q8_0", "--port=4711", "--api-key=secret", "--x={1}", "--a", "b"}
	wantEnv := []string{"A=primary", "B=2", "ROCR_VISIBLE_DEVICES=GPU-1"}
	if path != "vllm" || !reflect.DeepEqual(args, wantArgs) || !reflect.DeepEqual(env, wantEnv) {
		t.Errorf("%s %q %q", path, args, env)
	}
	p.Model.Context = 4096
	if _, args, _, _ = tmpl.Command(p); args[3] != "--max-model-len=4096" {
		t.Errorf("%q", args)
	}
	if tmpl.NeedsModel || tmpl.identity != "/v1/models" {
		t.Errorf("%+v", tmpl)
	}
}

func TestCustomProblems(t *testing.T) {
	_, err := New("bad", Config{
		Command:   []string{"x", "{prot}"},
		Listening: "(",
		Classes:   map[string][]string{"weather": {"rain"}, "oom": {"["}},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"engine bad", "{prot}", "{port}", "listening", "weather", "classes.oom"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := New("empty", Config{}); err == nil || !strings.Contains(err.Error(), "command is empty") {
		t.Error(err)
	}
}

func TestExpand(t *testing.T) {
	values := plan().values()
	for in, want := range map[string]string{
		"":               "",
		"x{port}y{slot}": "x4711yprimary",
		`{{"n":{port}}}`: `{"n":4711}`,
		"{context}":      "", // empty
	} {
		got, empty, err := expand(in, values)
		if err != nil || got != want || empty != (in == "{context}") {
			t.Errorf("%q: %q %v %v", in, got, empty, err)
		}
	}
	for _, in := range []string{"{", "}", "a{port", "{nope}", "x{args}"} {
		if _, _, err := expand(in, values); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("a{{b}}{port}{")
	f.Fuzz(func(t *testing.T, s string) {
		out, _, err := expand(s, plan().values())
		if err == nil && !strings.ContainsAny(s, "{}") && out != s {
			t.Errorf("%q became %q", s, out)
		}
	})
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{"PATH=/bin", "HAL0_TOKEN_FILE=/t", "LLAMA_ARG_HOST=0.0.0.0", "LLAMA_API_KEY=x", "HF_TOKEN=y", "HF_HOME=/h", "CUDA_VISIBLE_DEVICES=0"})
	if want := []string{"PATH=/bin", "HF_HOME=/h", "CUDA_VISIBLE_DEVICES=0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestFindLlamaServer(t *testing.T) {
	dir := t.TempDir()
	onPath := filepath.Join(dir, "llama-server")
	if err := os.WriteFile(onPath, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	none := func(string) string { return "" }
	for _, c := range []struct {
		named  string
		getenv func(string) string
		want   string
	}{
		{"/named", func(string) string { return "/env" }, "/named"},
		{"", func(string) string { return "/env" }, "/env"},
		{"", none, onPath},
	} {
		if got := FindLlamaServer(c.named, c.getenv); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestListening(t *testing.T) {
	tmpl := llamaCPP("x")
	for line, want := range map[string]bool{
		"0.00.042.151 I srv  llama_server: listening on http://127.0.0.1:18711":       true,
		"main: server is listening on http://127.0.0.1:8080 - starting the main loop": true,
		"INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)":     true,
		"0.00.021.318 I srv    load_model: loading model 'tiny-count.gguf'":           false,
	} {
		if tmpl.Listening(line) != want {
			t.Errorf("%q: %v", line, !want)
		}
	}
}

func TestPickDevices(t *testing.T) {
	const list = `Available devices:
  Vulkan0: NVIDIA GeForce RTX 4090 (24564 MiB, 24000 MiB free)
  CUDA0: NVIDIA GeForce RTX 4090 (24217 MiB, 23500 MiB free)
  Vulkan1: AMD Radeon Graphics (RADV RAPHAEL_MENDOCINO) (15000 MiB, 14000 MiB free)
`
	for n, want := range map[int]string{1: "CUDA0", 2: "Vulkan0,Vulkan1"} {
		if got, err := pickDevices(list, n); err != nil || got != want {
			t.Errorf("%d: %q %v", n, got, err)
		}
	}
	if _, err := pickDevices(list, 3); !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "CUDA0") {
		t.Error(err)
	}
	if _, err := pickDevices("Available devices:\n  (none)\n", 1); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
}

// A GPU that llama-server does not see is an error, never a fall back; and it is
// asked again, since a driver can come back.
func TestGPUIsNamedOrRefused(t *testing.T) {
	dir := t.TempDir()
	server, list := filepath.Join(dir, "llama-server"), filepath.Join(dir, "list")
	script := "#!/bin/sh\ncase $1 in --help) echo '-m, --model FNAME  x'; echo '-dev, --device X  x'; echo '-ngl, --gpu-layers N  x';; *) cat " + list + "; echo \"$PIN\";; esac\n"
	if err := os.WriteFile(server, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(s string) {
		if err := os.WriteFile(list, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := plan()
	p.Place = Place{IDs: []string{"GPU-a"}, Env: []string{"PIN=  CUDA0: card"}}
	tmpl := llamaCPP(server)
	write("none\n")
	_, args, env, err := tmpl.Command(p)
	if err != nil || strings.Join(args[:4], " ") != "--device CUDA0 --gpu-layers 999" || env[len(env)-1] != p.Place.Env[0] {
		t.Errorf("%q %q %v", args, env, err)
	}
	p.Place.Env = nil
	if _, _, _, err := tmpl.Command(p); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
	write("  ROCm0: card")
	if _, args, _, err := tmpl.Command(p); err != nil || args[1] != "ROCm0" {
		t.Error(args, err)
	}
}

func TestStamp(t *testing.T) {
	server := filepath.Join(t.TempDir(), "llama-server")
	tmpl := llamaCPP(server)
	before := tmpl.Stamp()
	if err := os.WriteFile(server, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if after := tmpl.Stamp(); after == before || after != tmpl.Stamp() {
		t.Errorf("%q, then %q", before, after)
	}
}
