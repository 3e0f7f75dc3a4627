package proc

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

// StartError is a program that could not be started, and what to do about it.
type StartError struct {
	Path   string
	Reason string // for the operator
	Err    error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %s", e.Path, e.Reason) }
func (e *StartError) Unwrap() error { return e.Err }

func newStartError(path string, err error) *StartError {
	return &StartError{path, Diagnose(path, err), err}
}

// Diagnose says in words why a program could not be started. The system's own
// "no such file or directory" means four different things.
func Diagnose(path string, err error) string {
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(statErr, fs.ErrNotExist) && !strings.ContainsAny(path, `/\`):
		return "there is no such program on the PATH"
	case errors.Is(statErr, fs.ErrNotExist):
		return "the file does not exist"
	case statErr != nil:
		return statErr.Error()
	case info.IsDir():
		return "it is a directory"
	case errors.Is(err, fs.ErrPermission) && info.Mode()&0o111 == 0:
		return fmt.Sprintf("the file is not executable (mode %v); chmod +x it", info.Mode().Perm())
	case errors.Is(err, fs.ErrPermission):
		return "the system does not allow it to be executed: another owner, or a disk mounted noexec"
	case errors.Is(err, fs.ErrNotExist):
		return missingInterpreter(path)
	case errors.Is(err, syscall.ENOEXEC):
		return wrongFormat(path)
	case errors.Is(err, syscall.ENOMEM):
		return "there is not enough memory to start a process"
	}
	return err.Error()
}

// missingInterpreter explains a file that exists and "does not exist".
func missingInterpreter(path string) string {
	if line, ok := shebang(path); ok {
		return fmt.Sprintf("its interpreter %s does not exist", line)
	}
	f, err := elf.Open(path)
	if err != nil {
		return "its interpreter does not exist"
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err == nil {
			return fmt.Sprintf("the loader %s that it needs does not exist: it was built for another system (musl or glibc, another architecture)", bytes.TrimRight(b, "\x00"))
		}
	}
	return "its interpreter does not exist"
}

// wrongFormat explains a file that is no program for this machine.
func wrongFormat(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return "the file is no program: neither of this system's format nor a script that begins with #!"
	}
	defer f.Close()
	return fmt.Sprintf("it was built for %s, this machine is %s", strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_")), runtime.GOARCH)
}

// shebang returns a script's interpreter.
func shebang(path string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 256).ReadSlice('\n')
	if err != nil && len(line) == 0 {
		return "", false
	}
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	words := strings.Fields(string(rest))
	if !ok || len(words) == 0 {
		return "", false
	}
	return words[0], true
}

var (
	missingLibrary = regexp.MustCompile(`error while loading shared libraries: ([^:]+): cannot open shared object`)
	missingVersion = regexp.MustCompile("version `([^']+)' not found")
	missingSymbol  = regexp.MustCompile(`symbol lookup error: .*undefined symbol: (\S+)`)
	badInstruction = "illegal instruction"
)

// DiagnoseExit says in words what an ending means that happened before the
// program itself could say anything; "" if there is nothing to add.
func DiagnoseExit(e Exit, tail []string) string {
	for _, line := range tail {
		if m := missingLibrary.FindStringSubmatch(line); m != nil {
			return fmt.Sprintf("the library %s that it needs is not installed", m[1])
		}
		if m := missingVersion.FindStringSubmatch(line); m != nil {
			return fmt.Sprintf("it was built for a newer system: %s is missing", m[1])
		}
		if m := missingSymbol.FindStringSubmatch(line); m != nil {
			return fmt.Sprintf("its libraries do not fit together: %s is missing", m[1])
		}
	}
	if e.Signal == badInstruction {
		return "it uses instructions that this processor does not have; install a build for it"
	}
	return ""
}
