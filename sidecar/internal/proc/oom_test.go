package proc

import (
	"testing"
	"testing/fstest"
)

func TestOOMCount(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want oomCount
	}{
		"nothing": {fstest.MapFS{}, oomCount{}},
		"v2 path": {fstest.MapFS{
			"proc/self/cgroup": file("0::/system.slice/hal0.service\n"),
			"proc/vmstat":      file("nr_free_pages 1\noom_kill 9\n"),
			"sys/fs/cgroup/system.slice/hal0.service/memory.events": file("low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"),
		}, oomCount{group: 2, machine: 9}},
		"v2 container": {fstest.MapFS{
			"proc/self/cgroup":            file("0::/\n"),
			"sys/fs/cgroup/memory.events": file("oom_kill 4\n"),
		}, oomCount{group: 4}},
		"v1": {fstest.MapFS{
			"proc/self/cgroup": file("3:cpu,cpuacct:/x\n4:memory:/docker/abc\n"),
			"sys/fs/cgroup/memory/docker/abc/memory.oom_control": file("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
		}, oomCount{group: 1}},
		"garbage": {fstest.MapFS{"proc/vmstat": file("oom_kill many\n")}, oomCount{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := oomCountIn(c.root); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestKilledByOOM(t *testing.T) {
	killed := Exit{Code: -1, Signal: "killed"}
	for name, c := range map[string]struct {
		exit          Exit
		ending        bool
		before, after oomCount
		want          bool
	}{
		"killed, nothing counted":     {exit: killed},
		"killed, machine counted":     {exit: killed, after: oomCount{machine: 1}, want: true},
		"killed, group counted":       {exit: killed, after: oomCount{group: 1}, want: true},
		"killed by us":                {exit: killed, ending: true, after: oomCount{group: 1, machine: 1}},
		"worker killed, leader exits": {exit: Exit{Code: 1}, after: oomCount{group: 1}, want: true},
		"stranger killed":             {exit: Exit{Code: 1}, after: oomCount{machine: 1}},
		"exit in peace":               {exit: Exit{}, after: oomCount{group: 1}},
		"old news":                    {exit: killed, before: oomCount{5, 5}, after: oomCount{5, 5}},
	} {
		if got := killedByOOM(c.exit, c.ending, c.before, c.after); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCleanLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"trailing  ":              "trailing",
		"\x1b[1;31mred\x1b[0m ok": "red ok",
		"tab\there\x00\x07":       "tab here",
		"bad \xff byte":           "bad \uFFFD byte",
		"\x1bMreverse":            "reverse",
		"":                        "",
		"\x1b[":                   "",
	} {
		if got := cleanLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
