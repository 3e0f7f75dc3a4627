package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// onTerminal reports whether people read out as it is written.
func onTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

const barWidth = 30

// bar draws how far something is; part below 0 = nobody knows.
func bar(part float64) string {
	if part < 0 {
		return "[" + strings.Repeat("·", barWidth) + "]     "
	}
	full := int(min(part, 1) * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("█", full), strings.Repeat("·", barWidth-full), 100*min(part, 1))
}

// brief is a duration for people: 12s, 3m20s, 5h2m.
func brief(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// plain makes text from elsewhere safe for a terminal: no escape sequences.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return r
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == utf8.RuneError {
			return '·'
		}
		return r
	}, s)
}

// jsonFlag adds --json to a command.
func jsonFlag(c *cobra.Command, to *bool) { c.Flags().BoolVar(to, "json", false, "print JSON") }

// say prints what a command has done: a line for people, or JSON.
func say(out io.Writer, asJSON bool, line string, v any) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	_, err := fmt.Fprintln(out, line)
	return err
}
