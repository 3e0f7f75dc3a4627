package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const dir = "internal/check/testdata/"
	for name, c := range map[string]struct {
		args   []string
		failed bool // exit status 1
		usage  bool // exit status 2
		out    string
	}{
		"clean":      {args: []string{dir + "clean/dynamic-yaml/dynamic.yml"}},
		"warning":    {args: []string{dir + "broken/retry-attempts/dynamic.yml"}, out: "[retry]"},
		"error":      {args: []string{dir + "broken/buffering/dynamic.yml"}, failed: true, out: "dynamic.yml:6: error: "},
		"absent":     {args: []string{dir + "absent.yml"}, usage: true},
		"unreadable": {args: []string{dir + "unreadable/tab.yml"}, usage: true},
		"no file":    {usage: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			cmd := checkCommand(&out)
			cmd.SetArgs(c.args)
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			err := cmd.Execute()
			var usage usageError
			if got := errors.As(err, &usage); got != c.usage {
				t.Errorf("usage error %v, want %v (%v)", got, c.usage, err)
			}
			if got := err != nil && !errors.As(err, &usage); got != c.failed {
				t.Errorf("failed %v, want %v (%v)", got, c.failed, err)
			}
			if !strings.Contains(out.String(), c.out) || c.out == "" && out.Len() > 0 {
				t.Errorf("it says %q, want %q", out.String(), c.out)
			}
		})
	}
}

func TestCheckJSON(t *testing.T) {
	for file, want := range map[string]int{"clean/dynamic-yaml": 0, "broken/buffering": 1} {
		var out strings.Builder
		cmd := checkCommand(&out)
		cmd.SetArgs([]string{"--json", "internal/check/testdata/" + file + "/dynamic.yml"})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		_ = cmd.Execute() // the exit status is TestCheck's
		var findings []struct{ Severity, File, Key, Message, Rule string }
		if err := json.Unmarshal([]byte(out.String()), &findings); err != nil || findings == nil || len(findings) != want {
			t.Errorf("%s: %d findings, want %d (%v): %s", file, len(findings), want, err, out.String())
		}
	}
}
