package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

func TestRunWaitsForNothingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := Check{"driver", func(context.Context) []Finding { <-release; return nil }}
		works := Check{"disk", func(context.Context) []Finding { return []Finding{{Level: OK, Text: "fine"}} }}
		began := time.Now()
		all := Run(t.Context(), []Check{hangs, works}, 5*time.Second)
		if got := time.Since(began); got != 5*time.Second+slack {
			t.Errorf("took %s", got)
		}
		if len(all) != 2 || all[0].Check != "driver" || all[0].Level != Problem || all[1].Check != "disk" || all[1].Level != OK {
			t.Errorf("found %+v", all)
		}
		if Worst(all) != Problem || Worst(all[1:]) != OK || Worst(nil) != OK {
			t.Error("the worst is not the worst")
		}
		close(release)
	})
}

// look runs one check.
func look(t *testing.T, c Check) Finding {
	t.Helper()
	found := Run(t.Context(), []Check{c}, 10*time.Second)
	if len(found) != 1 {
		t.Fatalf("found %+v, want one finding", found)
	}
	return found[0]
}

func expect(t *testing.T, f Finding, level Level, says string) {
	t.Helper()
	if f.Level != level || !strings.Contains(f.Text, says) {
		t.Errorf("found %s %q, want %s and %q", f.Level, f.Text, level, says)
	}
	if level == Problem && f.Advice == "" {
		t.Errorf("nothing is advised against %q", f.Text)
	}
}

func script(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+content), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLlamaServer(t *testing.T) {
	expect(t, look(t, LlamaServer("", false)), Note, "no llama-server")
	expect(t, look(t, LlamaServer("", true)), Problem, "no llama-server")
	expect(t, look(t, LlamaServer(script(t, "echo 'version: 5000 (abc)' >&2"), true)), OK, "version 5000 (abc)")
	expect(t, look(t, LlamaServer(script(t, "echo 'libcuda.so.1: not found' >&2; exit 127"), true)), Problem, "libcuda.so.1")
	found := Run(t.Context(), []Check{LlamaServer(script(t, "exec sleep 60"), true)}, 200*time.Millisecond)
	expect(t, found[0], Problem, "does not start")
}

type inventory func(func(device.Reading))

func (f inventory) Refresh(done func(device.Reading)) { f(done) }

func TestDevices(t *testing.T) {
	says := func(r device.Reading) Check { return Devices(inventory(func(done func(device.Reading)) { done(r) })) }
	host := device.Device{ID: device.Host, Kind: device.KindHost, Name: "host memory", Total: 8 << 30, Free: 4 << 30}
	gpu := device.Device{ID: "GPU-1", Kind: device.KindNVIDIA, Name: "Card", Total: 8 << 30, Free: device.Unknown}
	for _, c := range []struct {
		name  string
		check Check
		worst Level
		says  string
	}{
		{"no GPU", says(device.Reading{Devices: []device.Device{host}}), Note, "no GPU is seen"},
		{"a GPU", says(device.Reading{Devices: []device.Device{host, gpu}}), OK, "Card (GPU-1), an unknown size free"},
		{"a broken driver", says(device.Reading{Devices: []device.Device{host}, Problems: []device.Problem{{Source: "nvidia-smi", Text: "failed"}}}), Problem, "nvidia-smi: failed"},
		{"a driver that hangs", Devices(inventory(func(func(device.Reading)) {})), Problem, "do not answer"},
		{"nobody knows", Devices(nil), Note, "not read on this system"},
	} {
		found := Run(t.Context(), []Check{c.check}, 100*time.Millisecond)
		text := ""
		for _, f := range found {
			text += f.Text + "\n"
		}
		if Worst(found) != c.worst || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s %q", c.name, Worst(found), text)
		}
	}
}

func TestListener(t *testing.T) {
	expect(t, look(t, Listener("data", "127.0.0.1:0")), OK, "free")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) }))
	defer server.Close()
	expect(t, look(t, Listener("data", server.Listener.Addr().String())), OK, "hal0 serves")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	found := Run(t.Context(), []Check{Listener("data", l.Addr().String())}, 200*time.Millisecond)
	expect(t, found[0], Problem, "used by something else")
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	expect(t, look(t, Directory("state", dir, true)), OK, "can be written")
	expect(t, look(t, Directory("state", dir+"/a/b", true)), OK, "first start")
	expect(t, look(t, Directory("models", dir+"/a/b", false)), Note, "not there yet")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("it leaves %v behind", left)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, look(t, Directory("state", file, true)), Problem, "cannot write")
}

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	expect(t, look(t, Token(path)), Note, "not there yet")
	write := func(s string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(s), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", 0o640)
	if f := look(t, Token(path)); strings.Contains(f.Text+f.Advice, "secret") {
		t.Error("the content is shown")
	}
	expect(t, look(t, Token(path)), Problem, "does not hold a token")
	write(wire.TokenPrefix+strings.Repeat("k", 43)+"\n", 0o644)
	expect(t, look(t, Token(path)), Note, "read by everybody")
	write(wire.TokenPrefix+strings.Repeat("k", 43)+"\n", 0o640)
	expect(t, look(t, Token(path)), OK, "in order")
}

func TestSpaceAndClock(t *testing.T) {
	free := func(n int64, err error) func(string) (int64, error) {
		return func(string) (int64, error) { return n, err }
	}
	expect(t, look(t, Space("disk", "/x", 5<<30, free(9<<30, nil))), OK, "9.0 GiB free")
	expect(t, look(t, Space("disk", "/x", 5<<30, free(1<<30, nil))), Problem, "1.0 GiB are free")
	expect(t, look(t, Space("disk", "/x", 5<<30, free(0, errors.New("no")))), Note, "cannot tell")
	none := func(context.Context) time.Time { return time.Time{} }
	away := func(context.Context) time.Time { return time.Now().Add(-10 * time.Minute) }
	expect(t, look(t, Clock(none, time.Unix(0, 0))), OK, "")
	expect(t, look(t, Clock(none, time.Now().Add(time.Hour))), Problem, "before this hal0 was built")
	expect(t, look(t, Clock(away, time.Unix(0, 0))), Problem, "10m0s away")
}
