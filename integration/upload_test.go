package integration

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

const uploadModels = `
models:
  warm: {engine: demo, memory: 8MiB, parallel: "4", capabilities: transcription}
  slow: {engine: demo, memory: 8MiB, capabilities: transcription, args: "--load,2s"}
  never: {engine: demo, memory: 8MiB, capabilities: transcription, args: "--load,1h"}
maxUpload: 201MiB
`

const (
	formHead = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%s\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
	formTail = "\r\n--B--\r\n"
)

// recording is a form with a file of so many bytes, written as it is read.
type recording struct {
	body io.Reader
	size int64
	sum  hash.Hash // of the file
}

// record makes a recording; between is called when the part of the file that
// comes first was read.
func record(model string, first, second int64, between func()) recording {
	sum := sha256.New()
	head := fmt.Sprintf(formHead, model)
	file := io.MultiReader(io.LimitReader(zeros{}, first), &pause{call: between}, io.LimitReader(zeros{}, second))
	return recording{
		body: io.MultiReader(strings.NewReader(head), io.TeeReader(file, sum), strings.NewReader(formTail)),
		size: int64(len(head)+len(formTail)) + first + second, sum: sum,
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// pause has no bytes, and calls before it says so.
type pause struct{ call func() }

func (p *pause) Read([]byte) (int, error) {
	if p.call != nil {
		p.call()
	}
	return 0, io.EOF
}

// transcription posts a recording. size -1 keeps its length from the server.
func transcription(at string, r recording, size int64) (int, string, error) {
	req, err := http.NewRequest("POST", "http://"+at+"/v1/audio/transcriptions", io.NopCloser(r.body))
	if err != nil {
		return 0, "", err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func wantHeard(t *testing.T, r recording, status int, body string, err error, bytes int64) {
	t.Helper()
	if want := fmt.Sprintf("%d bytes, SHA-256 %x", bytes, r.sum.Sum(nil)); err != nil || status != 200 || !strings.Contains(body, want) {
		t.Errorf("%d %s %v, want %s", status, body, err, want)
	}
}

// An upload of 200 MB goes through a warm slot without being kept: the engine
// has its beginning before the client has sent its end, and no process grows
// with it.
func TestLargeUploadIsStreamed(t *testing.T) {
	bed.Tool(t, "traefik")
	near := bed.NewSidecar(t, route(uploadModels)).Start()
	far := bed.NewSidecar(t, "allow: {args: [--load]}\n").Start()
	e := bed.NewEdge(t, far, bed.Middleware(uploadModels))
	for _, door := range []struct {
		name, at string
		sidecar  *bed.Sidecar
		watched  map[string]*bed.Process
	}{
		{"sidecar", addr(near), near, map[string]*bed.Process{"sidecar": near.Process}},
		{"Traefik", e.Web("127.0.0.1"), far, map[string]*bed.Process{"sidecar": far.Process, "Traefik": e.Process}},
	} {
		t.Run(door.name, func(t *testing.T) {
			small := record("warm", 10, 0, nil)
			status, body, err := transcription(door.at, small, small.size)
			wantHeard(t, small, status, body, err, 10)
			begins := func() int { return strings.Count(door.sidecar.Log(), "a file begins") }
			before, began := map[string]int64{}, begins()
			for name, p := range door.watched {
				before[name] = p.RSS()
			}
			const first, second = 8 << 20, 192 << 20
			r := record("warm", first, second, func() {
				bed.Until(t, "the engine has the file's beginning", 20*time.Second, func() bool { return begins() > began })
			})
			status, body, err = transcription(door.at, r, r.size)
			wantHeard(t, r, status, body, err, first+second)
			for name, p := range door.watched {
				if most := p.PeakRSS(); most-before[name] > 64<<20 {
					t.Errorf("%s grew by %d MiB", name, (most-before[name])>>20)
				} else {
					bed.Figure(t, "an upload of 200 MB: %s grew by %d MiB", name, (most-before[name])>>20)
				}
			}
			kept := record("slow", 40<<20, 0, nil)
			status, body, err = transcription(door.at, kept, -1)
			wantHeard(t, kept, status, body, err, 40<<20)
			over := record("warm", 201<<20, 0, nil) // and some bytes around it
			if status, body, err := transcription(door.at, over, -1); err != nil || status != 413 || bed.ErrorIn(body).Code != "request.too_large" {
				t.Errorf("more than maxUpload: %d %s %v", status, body, err)
			}
		})
	}
}

// What is kept of an upload that waits is gone with its client, and with its
// sidecar, however that ends.
func TestWaitingUploadLeavesNothing(t *testing.T) {
	s := bed.NewSidecar(t, route(uploadModels)).Start()
	uploads := func() (n int) {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range open {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", s.PID(), fd.Name())); err == nil && strings.Contains(to, "hal0-upload-") {
				n++
			}
		}
		return n
	}
	wait := func(sent, leave chan struct{}) chan struct{} {
		done := make(chan struct{})
		from, to := io.Pipe()
		go func() {
			defer close(done)
			_, _, _ = transcription(addr(s), recording{body: from}, -1) // it has no answer
		}()
		go func() {
			_, err := io.Copy(to, record("never", 30<<20, 0, nil).body)
			close(sent)
			<-leave
			to.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		}()
		return done
	}
	sent, leave := make(chan struct{}), make(chan struct{})
	done := wait(sent, leave)
	<-sent // the sidecar has taken it all
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads are kept", n)
	}
	close(leave)
	<-done
	bed.Until(t, "the upload is gone", 10*time.Second, func() bool { return uploads() == 0 })

	sent, leave = make(chan struct{}), make(chan struct{})
	done = wait(sent, leave)
	<-sent
	s.Kill()
	close(leave)
	<-done
	s.Start()
	if left, err := os.ReadDir(filepath.Join(s.State(), "uploads")); err == nil && len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// A client that is in the middle of its upload does not keep the sidecar from
// ending.
func TestStopDuringUpload(t *testing.T) {
	s := bed.NewSidecar(t, route(uploadModels)).Start()
	from, to := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = transcription(addr(s), recording{body: from}, -1) // whatever it is told
	}()
	if _, err := io.Copy(to, record("never", 30<<20, 0, nil).body); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if code := s.Stop(); code != 0 {
		t.Errorf("the sidecar ended with %d", code)
	}
	within(t, "stop", time.Since(began), 8*time.Second) // of the 10 that an answered client may go on sending
	to.Close()
	<-done
}
