package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/hal0-dev/hal0/integration/bed"
)

// within is how long anything that the walk waits for may take.
const within = 30 * time.Second

// screen is what somebody looks at the page with.
type screen struct {
	name          string
	width, height int64
	phone, dark   bool
}

// page is one page in a Chromium of its own.
type page struct {
	t      *testing.T
	ctx    context.Context
	screen screen
	home   string // host:port, the only one that may be asked

	mu      sync.Mutex
	trouble []string // guarded by mu: what the page must not do
}

// open starts Chromium with the page of an address.
func open(t *testing.T, s screen, address string) *page {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip(bed.Missing + "chromium")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, screen: s, home: u.Host}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-crash-reporter", true), chromedp.Flag("disable-breakpad", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	quiet := func(string, ...any) {} // events of a Chromium that is newer than the library
	p.ctx, _ = chromedp.NewContext(ctx, chromedp.WithErrorf(quiet))
	t.Cleanup(func() {
		if err := chromedp.Cancel(p.ctx); err != nil {
			t.Logf("end Chromium: %v", err)
		}
		cancel()
	})
	chromedp.ListenTarget(p.ctx, p.hear)
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	p.do("open the page",
		network.Enable(), runtime.Enable(), log.Enable(),
		emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(address))
	return p
}

// hear collects what the page must not do. It is called by the library, and must
// not wait.
func (p *page) hear(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = "exception: " + e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			said = fmt.Sprintf("console: %s %s", e.Type, e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			said = "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != p.home && u.Scheme != "data" {
			said = "request to another host: " + e.Request.URL
		}
	}
	if said != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.trouble = append(p.trouble, said)
	}
}

// quiet checks that the page did nothing that it must not.
func (p *page) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, said := range p.trouble {
		p.t.Error(said)
	}
}

// do runs actions, within a bound.
func (p *page) do(what string, actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	if err := chromedp.Run(p.started(ctx), actions...); err != nil {
		p.shot("failed")
		p.t.Fatalf("%s: %v", what, err)
	}
}

// started is the context to run actions in. The first run must be in the page's
// own: Chromium lives as long as that.
func (p *page) started(bounded context.Context) context.Context {
	if chromedp.FromContext(p.ctx).Target == nil {
		return p.ctx
	}
	return bounded
}

// await waits until an expression is true in the page.
func (p *page) await(what, expression string) {
	p.t.Helper()
	p.do("wait until "+what, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(within)))
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// shot keeps what is on the screen.
func (p *page) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("HAL0_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&png))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, p.screen.name+"-"+name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Errorf("keep screenshot %s: %v", name, err)
	}
}

// accessible has axe look at what is on the screen.
func (p *page) accessible(where string) {
	p.t.Helper()
	const look = `axe.run({resultTypes: ['violations']}).then((r) => r.violations
		.filter((v) => ['serious', 'critical'].includes(v.impact))
		.map((v) => v.id + ': ' + v.help + ' ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))`
	var found []string
	p.do("run axe", chromedp.Evaluate(bed.Axe(p.t)+";0", nil),
		chromedp.Evaluate(look, &found, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	if len(found) > 0 {
		p.t.Errorf("axe finds in %s:\n%s", where, strings.Join(found, "\n"))
	}
}
