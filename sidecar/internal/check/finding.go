package check

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// Severity of a finding. The zero value is invalid.
type Severity uint8

// Severities.
const (
	Error   Severity = iota + 1 // does not work, or breaks a promise
	Warning                     // works, but not well
)

// String implements fmt.Stringer.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Place is where something stands. Line counts from 1, 0 = not known.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Key  string `json:"key,omitempty"` // path of the key, as written
}

// Finding is one thing that is wrong, and what to do about it.
type Finding struct {
	Severity Severity `json:"severity"`
	Place
	Message string `json:"message"`
	Rule    string `json:"rule"`
}

// String is the finding as one line, "file:line: severity: message [rule]".
func (f Finding) String() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	message := f.Message
	if f.Key != "" {
		message = f.Key + ": " + message
	}
	return fmt.Sprintf("%s: %s: %s [%s]", at, f.Severity, strings.ReplaceAll(message, "\n", " "), f.Rule)
}

// Write writes one line per finding.
func Write(out io.Writer, findings []Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	return nil
}

// Failed says whether a finding is an error.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

func failure(at Place, rule, format string, args ...any) Finding {
	return Finding{Severity: Error, Place: at, Message: fmt.Sprintf(format, args...), Rule: rule}
}

func warning(at Place, rule, format string, args ...any) Finding {
	return Finding{Severity: Warning, Place: at, Message: fmt.Sprintf(format, args...), Rule: rule}
}

// ordered sorts by place and drops what was found twice.
func ordered(findings []Finding) []Finding {
	sort.SliceStable(findings, func(i, j int) bool {
		a, b := findings[i], findings[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		if a.Key != b.Key {
			return a.Key < b.Key
		}
		if a.Severity != b.Severity {
			return a.Severity < b.Severity
		}
		if a.Rule != b.Rule {
			return a.Rule < b.Rule
		}
		return a.Message < b.Message
	})
	out := findings[:0]
	for i, f := range findings {
		if i == 0 || f != out[len(out)-1] {
			out = append(out, f)
		}
	}
	return out
}
