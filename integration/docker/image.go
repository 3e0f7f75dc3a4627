package docker

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Image is what an image holds: files of this machine by their path there, and
// what its container runs.
type Image struct {
	Files   map[string]string // path in the image: file here
	Scripts map[string]string // path in the image: text
	Changes []string          // as in a Dockerfile
}

// Import makes an image of one layer.
func (e *Engine) Import(name string, i Image) {
	e.t.Helper()
	read, write := io.Pipe()
	go func() { write.CloseWithError(i.write(write)) }()
	args := []string{"import"}
	for _, c := range i.Changes {
		args = append(args, "--change", c)
	}
	e.Fed(read, append(args, "-", name)...)
}

func (i Image) write(to io.Writer) error {
	w := tar.NewWriter(to)
	var errs []error
	errs = append(errs, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}))
	for path, from := range i.Files {
		errs = append(errs, add(w, path, from))
	}
	for path, text := range i.Scripts {
		errs = append(errs, w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, w.Close())...)
}

func add(w *tar.Writer, path, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: int64(info.Mode().Perm()), Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Traefik is an image with the real one, where the published one has it.
func Traefik(t testing.TB) Image {
	return Image{
		Files:   map[string]string{"usr/local/bin/traefik": bed.Tool(t, "traefik")},
		Changes: []string{path, `ENTRYPOINT ["traefik"]`},
	}
}

// Compiler is an image whose Go "compiles" what is compiled already: the other
// steps of a Dockerfile are what is tried with it.
func (e *Engine) Compiler(binary string) Image {
	busybox := filepath.Join(e.prefix, "bin/busybox")
	return Image{
		Files: map[string]string{"bin/sh": busybox, "bin/mkdir": busybox, "bin/cp": busybox, "hal0": binary},
		Scripts: map[string]string{"usr/local/bin/go": "#!/bin/sh\n" +
			`if [ "$1" = build ]; then while [ "$1" != -o ]; do shift; done; mkdir -p "${2%/*}"; cp /hal0 "$2"; fi` + "\n"},
		Changes: []string{path},
	}
}

// Llama is an image with the real llama-server in /app, with models in the
// folder that becomes the volume, and with tar, as the published one has it.
func (e *Engine) Llama(models ...string) Image {
	t := e.t
	t.Helper()
	i := Image{Files: map[string]string{"bin/tar": filepath.Join(e.prefix, "bin/busybox")}, Changes: []string{path}}
	server, err := filepath.EvalSymlinks(bed.Tool(t, "llama-server"))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked := filepath.Join(bed.Cache(), "llama", "llama-server"); bed.Exists(unpacked) {
		server = unpacked // the other is a script that starts it
	}
	i.Files["app/llama-server"] = server
	for at, from := range libraries(t, server) {
		i.Files[at] = from
	}
	for _, m := range models {
		i.Files["models/"+m] = bed.Model(t, m)
	}
	return i
}

var loaded = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)

// libraries are those that a program loads, and its loader at the place that it
// names, by their places in the image.
func libraries(t testing.TB, program string) map[string]string {
	t.Helper()
	files := map[string]string{}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name, err := io.ReadAll(p.Open())
			if err != nil {
				t.Fatal(err)
			}
			loader := strings.TrimRight(string(name), "\x00")
			files[loader] = loader
		}
	}
	cmd := exec.Command(program)
	found, _ := filepath.Glob(filepath.Join(bed.Cache(), "llama/prefix/usr/lib/*-linux-gnu")) // fails only on a bad pattern
	cmd.Env = []string{"LD_TRACE_LOADED_OBJECTS=1"}
	for _, dir := range found {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+dir+":"+dir+"/llama")
	}
	out, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range loaded.FindAllStringSubmatch(out, -1) {
		files["app/"+filepath.Base(m[1])] = m[1]
	}
	backends, _ := filepath.Glob(filepath.Join(bed.Cache(), "llama/prefix/usr/lib/*/ggml/*/libggml-cpu-*.so")) // fails only on a bad pattern
	for _, path := range backends {
		files["app/"+filepath.Base(path)] = path
	}
	return files
}

// Build builds the repository's own image, with these flags.
func (e *Engine) Build(tag string, flags ...string) {
	e.t.Helper()
	args := append([]string{"build", "--file", filepath.Join(bed.Root(), "sidecar/Dockerfile"), "--tag", tag}, flags...)
	e.Docker(append(args, bed.Root())...)
}
