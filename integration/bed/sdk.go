package bed

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SDK is one major version of a client.
type SDK struct {
	Name  string   // python-1, node-6, go-3; python-anthropic-2
	APIs  []string // what Job.API may be
	HTTP2 bool     // whether it can speak it
	argv  []string
	needs []string // tools in the cache
}

// SDKs are OpenAI's, all that integration/versions names.
func SDKs(t testing.TB) []SDK {
	t.Helper()
	var all []SDK
	for _, v := range versions(t, "PYTHON_OPENAI") {
		s := pythonSDK("openai", v, "client.py")
		s.HTTP2 = true
		all = append(all, s)
	}
	for _, v := range versions(t, "NODE_OPENAI") {
		all = append(all, nodeSDK("openai", v, "client.cjs"))
	}
	for _, v := range versions(t, "GO_OPENAI") {
		all = append(all, SDK{
			Name: "go-" + v, HTTP2: true, needs: []string{"client-go"},
			argv: []string{filepath.Join(Cache(), "client-go"), "-major", v},
		})
	}
	for i := range all {
		all[i].APIs = []string{"chat", "completion", "responses"}
	}
	return all
}

// AnthropicSDKs are Anthropic's, all that integration/versions names.
func AnthropicSDKs(t testing.TB) []SDK {
	t.Helper()
	var all []SDK
	for _, v := range versions(t, "PYTHON_ANTHROPIC") {
		all = append(all, pythonSDK("anthropic", v, "anthropic_client.py"))
	}
	for _, v := range versions(t, "NODE_ANTHROPIC") {
		all = append(all, nodeSDK("anthropic", v, "anthropic.cjs"))
	}
	for i := range all {
		all[i].APIs = []string{"messages"}
	}
	return all
}

func pythonSDK(name, version, program string) SDK {
	dir := filepath.Join("python", name+"-"+version)
	return SDK{
		Name: sdkName("python", name, version), needs: []string{filepath.Join(dir, "done")},
		// -B: nothing is written beside the program.
		argv: []string{filepath.Join(Cache(), dir, "bin", "python"), "-B", filepath.Join(clientsDir(), "python", program)},
	}
}

func nodeSDK(name, version, program string) SDK {
	dir := filepath.Join("node", name+"-"+version)
	return SDK{
		Name: sdkName("node", name, version), needs: []string{filepath.Join(dir, "done")},
		argv: []string{"node", filepath.Join(clientsDir(), "node", program), filepath.Join(Cache(), dir)},
	}
}

func clientsDir() string { return filepath.Join(Root(), "integration", "clients") }

// sdkName leaves out what most are.
func sdkName(language, name, version string) string {
	major, _, _ := strings.Cut(version, ".")
	if name == "openai" {
		return language + "-" + major
	}
	return language + "-" + name + "-" + major
}

// Job is one request that a client is to make; see clients/readme.md.
type Job struct {
	ID        string            `json:"id"`
	BaseURL   string            `json:"base_url"`
	Key       string            `json:"key,omitempty"`
	API       string            `json:"api"`
	Stream    bool              `json:"stream"`
	Model     string            `json:"model"`
	Prompt    string            `json:"prompt"`
	MaxTokens int               `json:"max_tokens,omitempty"`
	Retries   int               `json:"retries"`
	Timeout   float64           `json:"timeout,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Resolve   map[string]string `json:"resolve,omitempty"`
	CA        string            `json:"ca,omitempty"`
	HTTP2     bool              `json:"http2,omitempty"`
	Extra     map[string]any    `json:"extra,omitempty"` // fields to add to the body
}

// Line is one thing that an SDK gave its caller.
type Line struct {
	Job      string `json:"job"`
	At       int64  `json:"at"` // unix nanoseconds
	Kind     string `json:"kind"`
	Event    string `json:"event"`
	Text     string `json:"text"`
	Finish   string `json:"finish"`
	Protocol string `json:"protocol"`
	Class    string `json:"class"`
	Message  string `json:"message"`
	Code     string `json:"code"`
	Type     string `json:"type"`
	Status   int    `json:"status"`
}

// Client is a running SDK. It runs its jobs one after the other.
type Client struct {
	t     testing.TB
	sdk   SDK
	jobs  *json.Encoder
	close func() error
	lines chan Line
}

// Run starts the SDK's client program.
func (s SDK) Run(t testing.TB) *Client {
	t.Helper()
	for _, tool := range s.needs {
		Tool(t, tool)
	}
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Env = Environment()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, sdk: s, jobs: json.NewEncoder(in), close: in.Close, lines: make(chan Line, 1024)}
	p := startPiped(t, s.Name, cmd, write)
	write.Close()
	go c.read(out)
	t.Cleanup(func() {
		in.Close()
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			p.Kill()
		}
		out.Close()
	})
	return c
}

func (c *Client) read(out *os.File) {
	defer close(c.lines)
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<22)
	for in.Scan() {
		var l Line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			l = Line{Kind: "error", Class: "client", Message: "not a line: " + in.Text()}
		}
		c.lines <- l
	}
}

// Ask hands the client a job.
func (c *Client) Ask(j Job) {
	c.t.Helper()
	if err := c.jobs.Encode(j); err != nil {
		c.t.Fatalf("%s: hand over job: %v", c.sdk.Name, err)
	}
}

// Next is the next line of whichever job runs.
func (c *Client) Next(limit time.Duration) Line {
	c.t.Helper()
	select {
	case l, ok := <-c.lines:
		if !ok {
			c.t.Fatalf("%s: the client ended", c.sdk.Name)
		}
		return l
	case <-time.After(limit):
		c.t.Fatalf("%s: nothing within %v", c.sdk.Name, limit)
	}
	return Line{}
}

// Rest reads the lines of the current job to its last one, done or error.
func (c *Client) Rest(limit time.Duration) []Line {
	c.t.Helper()
	var lines []Line
	for {
		l := c.Next(limit)
		lines = append(lines, l)
		if l.Kind == "done" || l.Kind == "error" {
			return lines
		}
	}
}

// Do runs one job to its end.
func (c *Client) Do(j Job) []Line {
	c.t.Helper()
	c.Ask(j)
	return c.Rest(90 * time.Second)
}

// Text is the text of all lines together.
func Text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text)
	}
	return b.String()
}

// Python is an interpreter that has the newest OpenAI SDK, or skips the test.
func Python(t testing.TB) string {
	t.Helper()
	all := versions(t, "PYTHON_OPENAI")
	dir := filepath.Join("python", "openai-"+all[len(all)-1])
	Tool(t, filepath.Join(dir, "done"))
	return filepath.Join(Cache(), dir, "bin", "python")
}
