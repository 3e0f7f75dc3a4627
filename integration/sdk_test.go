package integration

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// loopback is what an entry for hal0.lan in the LAN's name server does.
var loopback = map[string]string{"hal0.lan": "127.0.0.1", "localhost": "127.0.0.1"}

// Bar 3: every SDK, at both names, streaming and not, chat and completions,
// through the interpreted plugin; HTTP/2 for those that speak it.
func TestBar3SDKsThroughTraefik(t *testing.T) {
	s, e := stack(t)
	// One engine start for all: what a cold slot does is another test's matter.
	wantStream(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat("primary", true)}))
	_ = s
	for _, sdk := range bed.SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			c := sdk.Run(t)
			for _, job := range jobs(e, sdk) {
				lines := c.Do(job)
				last := lines[len(lines)-1]
				if last.Kind != "done" {
					t.Errorf("%s: %+v", job.ID, last)
					continue
				}
				if said := strings.TrimSpace(bed.Text(lines)); said != counted {
					t.Errorf("%s: %q", job.ID, said)
				}
				if n := len(lines); job.Stream && n < 21 || !job.Stream && n != 2 {
					t.Errorf("%s: %d lines", job.ID, n)
				}
				if job.HTTP2 && !strings.HasPrefix(last.Protocol, "HTTP/2") {
					t.Errorf("%s: spoke %s", job.ID, last.Protocol)
				}
				if finish := lines[len(lines)-2].Finish; finish != "stop" {
					t.Errorf("%s: finish %q", job.ID, finish)
				}
			}
		})
	}
}

func jobs(e *bed.Edge, sdk bed.SDK) []bed.Job {
	var all []bed.Job
	for _, host := range []string{"localhost", "hal0.lan"} {
		for _, api := range []string{"chat", "completion"} {
			for _, stream := range []bool{true, false} {
				job := bed.Job{
					ID:      fmt.Sprintf("%s %s stream=%v", host, api, stream),
					BaseURL: "http://" + e.Web(host) + "/v1", API: api, Stream: stream,
					Model: "primary", Prompt: prompt, Resolve: loopback,
				}
				all = append(all, job)
				if sdk.HTTP2 {
					job.ID += " h2"
					job.BaseURL, job.CA, job.HTTP2 = "https://"+e.Secure(host)+"/v1", e.CA(), true
					all = append(all, job)
				}
			}
		}
	}
	return all
}

// pace is how much later than from the engine an event may reach a client:
// well below the 10 ms between two of the slow model's for most, and never a
// lump at the end.
const (
	paceUsual = 8 * time.Millisecond
	paceWorst = 400 * time.Millisecond
)

// Bar 3: each event arrives when it is sent.
func TestBar3EventsArriveWhenSent(t *testing.T) {
	s, e := stack(t)
	const tokens = 40
	limit := fmt.Sprintf(`"max_tokens":%d`, tokens)
	wantStream(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat("slow", true, limit)}))
	newest := func() bed.Exchange {
		all := s.Exchanges(chatPath)
		return all[len(all)-1]
	}
	for _, v := range []struct{ name, flag, url string }{
		{"HTTP/1.1", "--http1.1", "http://" + e.Web("hal0.lan")},
		{"HTTP/2", "--http2", "https://" + e.Secure("hal0.lan")},
	} {
		t.Run("curl "+v.name, func(t *testing.T) {
			port := v.url[strings.LastIndex(v.url, ":")+1:]
			c := bed.RunCurl(t, v.flag, "--cacert", e.CA(), "--resolve", "hal0.lan:"+port+":127.0.0.1",
				"-H", "Content-Type: application/json", "-d", chat("slow", true, limit), v.url+chatPath)
			var at []time.Time
			for _, f := range c.Events() {
				at = append(at, f.At)
			}
			said, code := c.Told()
			if !strings.HasPrefix(said, v.name[:6]) || !strings.HasSuffix(said, " 200") || code != 0 {
				t.Errorf("curl says %q, exit code %d", said, code)
			}
			if v.name == "HTTP/2" && !strings.HasPrefix(said, "HTTP/2 ") {
				t.Errorf("curl spoke %q", said)
			}
			wantPace(t, newest().Sent, at)
		})
	}
	for _, sdk := range bed.SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			lines := sdk.Run(t).Do(bed.Job{
				ID: "pace", BaseURL: "http://" + e.Web("localhost") + "/v1", API: "chat", Stream: true,
				Model: "slow", Prompt: prompt, MaxTokens: tokens, Resolve: loopback,
			})
			var at []time.Time
			for _, l := range lines {
				if l.Kind == "event" {
					at = append(at, time.Unix(0, l.At))
				}
			}
			wantPace(t, newest().Sent, at)
		})
	}
}

// wantPace compares when events were sent with when they arrived.
func wantPace(t *testing.T, sent, got []time.Time) {
	t.Helper()
	if len(got) < 40 || len(got) > len(sent) {
		t.Fatalf("%d events sent, %d arrived", len(sent), len(got))
	}
	var late []time.Duration
	for i, at := range got {
		late = append(late, at.Sub(sent[i]))
	}
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	median, worst := late[len(late)/2], late[len(late)-1]
	t.Logf("%d events in %v; behind the engine: median %v, worst %v", len(got), got[len(got)-1].Sub(got[0]).Round(time.Millisecond), median, worst)
	if median > paceUsual || worst > paceWorst {
		t.Errorf("events arrive late: median %v (at most %v), worst %v (at most %v)", median, paceUsual, worst, paceWorst)
	}
}
