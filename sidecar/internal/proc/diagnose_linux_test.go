package proc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

func TestDiagnose(t *testing.T) {
	foreign := interpreted(t, "/lib/ld.so")
	foreign[18], foreign[19] = 0xf3, 0 // EM_RISCV
	dir := t.TempDir()
	write := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		"no-such-program-anywhere": "on the PATH",
		dir + "/none":              "does not exist",
		dir:                        "is a directory",
		write("plain", []byte("#!/bin/sh\n"), 0o600):                          "chmod +x",
		write("script", []byte("#!/no/such/python3 -u\n"), 0o700):             "interpreter /no/such/python3",
		write("text", []byte("just words"), 0o700):                            "no program",
		write("foreign", foreign, 0o700):                                      "built for riscv",
		write("musl", interpreted(t, "/lib/ld-musl-x86_64.so.1.none"), 0o700): "loader /lib/ld-musl-x86_64.so.1.none",
	} {
		_, err := proc.Start(proc.Spec{Path: path})
		var start *proc.StartError
		if !errors.As(err, &start) || !strings.Contains(start.Reason, want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// interpreted is a minimal ELF program that wants a loader.
func interpreted(t *testing.T, loader string) []byte {
	t.Helper()
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64+56+len(loader)+1)
	copy(b, self[:64])                            // this machine's header
	copy(b[32:], []byte{64, 0, 0, 0, 0, 0, 0, 0}) // one program header, behind it
	copy(b[40:], make([]byte, 8))
	copy(b[54:], []byte{56, 0, 1, 0})
	copy(b[58:], make([]byte, 6)) // no sections
	p := b[64:]
	p[0], p[4] = 3, 4 // PT_INTERP, readable
	p[8] = 64 + 56
	p[32], p[40] = byte(len(loader)+1), byte(len(loader)+1)
	copy(b[64+56:], loader)
	return b
}

func TestDiagnoseExit(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/bin/llama-server: error while loading shared libraries: libgomp.so.1: cannot open shared object file: No such file or directory": "libgomp.so.1",
		"./x: /lib/libc.so.6: version `GLIBC_2.43' not found (required by ./x)":                                                                "GLIBC_2.43",
		"./x: symbol lookup error: ./x: undefined symbol: ggml_init":                                                                           "ggml_init",
		"all is well": "",
	} {
		got := proc.DiagnoseExit(proc.Exit{Code: 127}, []string{"first", line})
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := proc.DiagnoseExit(proc.Exit{Code: -1, Signal: syscall.SIGILL.String()}, nil); !strings.Contains(got, "instructions") {
		t.Error(got)
	}
}
