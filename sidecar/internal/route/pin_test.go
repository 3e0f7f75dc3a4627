package route

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestPin(t *testing.T) {
	file := File(filepath.Join(t.TempDir(), "routes.json"))
	r := New(Config{Store: file, Log: hclog.NewNullLogger()})
	loose, fixed := model("loose", "1"), model("fixed", "2")
	fixed.Pin = true
	before := put(t, r, declared("a@file", 1, loose, fixed)).Slots()
	pinned := func(v *View) string {
		s := ""
		for _, one := range v.Slots() {
			switch {
			case one.ByHand && one.Model.Pin:
				s += one.Model.Slot + " by hand "
			case one.ByHand:
				s += one.Model.Slot + " not, by hand "
			case one.Model.Pin:
				s += one.Model.Slot + " declared "
			}
		}
		return s
	}
	for _, step := range []struct {
		slot string
		want bool
		is   string
	}{
		{"loose", true, "loose by hand fixed declared "},
		{"fixed", false, "loose by hand fixed not, by hand "},
		{"fixed", true, "loose by hand fixed declared "},
		{"loose", false, "fixed declared "},
		{"nothing", true, "fixed declared "},
		{"fixed", false, "fixed not, by hand "},
	} {
		v, err := r.Pin(context.Background(), step.slot, step.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := pinned(v); got != step.is {
			t.Errorf("%s %v: %q, want %q", step.slot, step.want, got, step.is)
		}
		for i, s := range v.Slots() {
			if s.Fingerprint != before[i].Fingerprint {
				t.Errorf("%s %v makes slot %s another one", step.slot, step.want, s.Model.Slot)
			}
		}
	}
	r.Close()
	again := registry(t, Config{Store: file})
	if got := pinned(again.View()); got != "fixed not, by hand " {
		t.Errorf("after a restart: %q", got)
	}
	if v := put(t, again, declared("a@file", 2, model("loose", "1"), model("fixed", "3"))); pinned(v) != "fixed not, by hand " {
		t.Errorf("declared anew: %q", pinned(v))
	}
}
