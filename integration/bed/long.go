package bed

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// Long reports whether the tests run in their long form, which integration/run
// --long asks for by HAL0_LONG.
func Long() bool { return os.Getenv("HAL0_LONG") != "" }

// Times is how often something is to be done: short every day, long with --long.
func Times(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// Figure logs something that was measured, and keeps it in the file that
// HAL0_FIGURES names: integration/run prints it at its end.
func Figure(t testing.TB, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	t.Log(text)
	path := os.Getenv("HAL0_FIGURES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s  %s: %s\n", time.Now().UTC().Format("2006-01-02 15:04"), t.Name(), text); err != nil {
		t.Fatal(err)
	}
}
