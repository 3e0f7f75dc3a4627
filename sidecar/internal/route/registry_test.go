package route

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hashicorp/go-hclog"
)

func model(slot, file string) wire.Model { return wire.Model{Slot: slot, Model: file} }

func declared(name string, since int64, models ...wire.Model) wire.Route {
	return wire.Route{Name: name, Since: since, Models: models}
}

func registry(t *testing.T, cfg Config) *Registry {
	t.Helper()
	cfg.Log = hclog.NewNullLogger()
	r := New(cfg)
	t.Cleanup(r.Close)
	return r
}

func put(t *testing.T, r *Registry, route wire.Route) *View {
	t.Helper()
	v, err := r.Put(context.Background(), route, false)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func proof(r wire.Route, slot string) wire.Proof {
	return wire.Proof{Route: r.Name, Fingerprint: r.Fingerprint(), Since: r.Since, Slot: slot}
}

func TestFind(t *testing.T) {
	a := declared("a@file", 10, model("one", "1.gguf"), model("two", "2.gguf"))
	for _, c := range []struct {
		name    string
		put     []wire.Route
		proof   wire.Proof
		slot    string
		declare bool
		code    string
	}{
		{"declared", []wire.Route{a}, proof(a, "one"), "one", false, ""},
		{"unknown route", nil, proof(a, "one"), "", true, wire.CodeSlotLoading},
		{"older instance, slot kept", []wire.Route{a}, proof(declared("a@file", 5, model("one", "old.gguf")), "one"), "one", false, ""},
		{"older instance, slot gone", []wire.Route{a}, proof(declared("a@file", 5, model("zero", "0.gguf")), "zero"), "", false, wire.CodeModelNotFound},
		{"newer instance, slot kept", []wire.Route{a}, proof(declared("a@file", 15, model("one", "new.gguf")), "one"), "one", true, ""},
		{"newer instance, new slot", []wire.Route{a}, proof(declared("a@file", 15, model("three", "3.gguf")), "three"), "", true, wire.CodeSlotLoading},
		{"older declaration does not replace", []wire.Route{a, declared("a@file", 9, model("one", "old.gguf"))}, proof(a, "two"), "two", false, ""},
		{"newer declaration replaces", []wire.Route{a, declared("a@file", 11, model("one", "1.gguf"))}, proof(a, "two"), "", false, wire.CodeModelNotFound},
		{"conflict is the newer's", []wire.Route{a, declared("b@file", 1, model("one", "other.gguf"))}, proof(declared("b@file", 1, model("one", "other.gguf")), "one"), "", false, wire.CodeConflict},
		{"conflict leaves the older alone", []wire.Route{a, declared("b@file", 1, model("one", "other.gguf"))}, proof(a, "one"), "one", false, ""},
		{"shared", []wire.Route{a, declared("b@file", 1, model("one", "1.gguf"))}, proof(declared("b@file", 1, model("one", "1.gguf")), "one"), "one", false, ""},
		{"refused", []wire.Route{declared("c@file", 1, model("bad", "/etc/passwd"))}, proof(declared("c@file", 1, model("bad", "/etc/passwd")), "bad"), "", false, wire.CodeNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := registry(t, Config{Check: func(m wire.Model) (*wire.Failure, string) {
				if !strings.HasPrefix(m.Model, "/etc") {
					return nil, ""
				}
				f := wire.NewFailure(wire.CodeNotAllowed, "not allowed")
				return &f, m.Model + " is not allowed"
			}})
			for _, route := range c.put {
				put(t, r, route)
			}
			s, declare, f := r.View().Find(c.proof)
			code := ""
			if f != nil {
				code = f.Code
			}
			if s.Model.Slot != c.slot || declare != c.declare || code != c.code {
				t.Errorf("Find = %q, %v, %q, want %q, %v, %q", s.Model.Slot, declare, code, c.slot, c.declare, c.code)
			}
		})
	}
}

func TestLearnCompletesUntilDeclared(t *testing.T) {
	r := registry(t, Config{})
	ctx := context.Background()
	for _, m := range []wire.Model{model("b", "b"), model("a", "a")} {
		if _, err := r.Learn(ctx, "x@docker", m); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(r.View().Slots()); got != 2 {
		t.Fatalf("learned %d slots, want 2", got)
	}
	put(t, r, declared("x@docker", 1, model("a", "a")))
	v, err := r.Learn(ctx, "x@docker", model("b", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Slots()) != 1 || v.Slots()[0].Model.Slot != "a" {
		t.Errorf("a request changed a declared route: %+v", v.Slots())
	}
}

func TestConflictEndsWhenBothAgree(t *testing.T) {
	r := registry(t, Config{})
	put(t, r, declared("a@file", 1, model("s", "old")))
	put(t, r, declared("b@file", 1, model("s", "old")))
	if v := put(t, r, declared("a@file", 2, model("s", "new"))); len(v.Problems()) != 1 {
		t.Errorf("problems = %+v, want the one conflict", v.Problems())
	}
	v := put(t, r, declared("b@file", 2, model("s", "new")))
	if len(v.Problems()) != 0 || v.Slots()[0].Model.Model != "new" {
		t.Errorf("after both changed: problems %+v, slots %+v", v.Problems(), v.Slots())
	}
}

func TestRoutesSurviveARestart(t *testing.T) {
	file := File(filepath.Join(t.TempDir(), "routes.json"))
	r := New(Config{Store: file, Log: hclog.NewNullLogger()})
	put(t, r, declared("a@file", 3, model("one", "1")))
	if _, err := r.Put(context.Background(), declared("own", 1, model("mine", "m")), true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Learn(context.Background(), "l@file", model("two", "2")); err != nil {
		t.Fatal(err)
	}
	r.Close()
	again := registry(t, Config{Store: file})
	var got []string
	for _, s := range again.View().Slots() {
		got = append(got, s.Model.Slot)
	}
	if strings.Join(got, " ") != "one" {
		t.Errorf("kept %q, want only what a route declared", got)
	}
}

func TestStaleRouteLosesItsPreload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Log: hclog.NewNullLogger()})
		defer r.Close()
		m := model("p", "p")
		m.Preload = true
		v := put(t, r, declared("a@file", 1, m))
		if !v.Slots()[0].Preload {
			t.Error("a fresh route has no preload")
		}
		time.Sleep(StaleAfter + time.Second)
		if v = put(t, r, declared("b@file", 1)); v.Slots()[0].Preload {
			t.Error("a stale route keeps its preload")
		}
		if v = put(t, r, declared("a@file", 2, m)); !v.Slots()[0].Preload {
			t.Error("a confirmed route has no preload")
		}
	})
}

func TestChangesAreToldInOrder(t *testing.T) {
	var told []int
	r := New(Config{Log: hclog.NewNullLogger(), Changed: func(v *View) { told = append(told, len(v.Slots())) }})
	put(t, r, declared("a@file", 1, model("1", "")))
	put(t, r, declared("a@file", 2, model("1", ""), model("2", "")))
	if _, err := r.Remove(context.Background(), "a@file"); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if len(told) != 4 || told[0] != 0 || told[1] != 1 || told[2] != 2 || told[3] != 0 {
		t.Errorf("told %v, want [0 1 2 0]", told)
	}
	if _, err := r.Put(context.Background(), declared("a@file", 3), false); err != ErrClosed {
		t.Errorf("Put after Close: %v, want ErrClosed", err)
	}
}

// Whoever sees a slot in a view finds it in the pool: Changed has returned.
func TestViewIsSeenWhenWhatItNamesIsThere(t *testing.T) {
	store := File(filepath.Join(t.TempDir(), "routes.json"))
	a := declared("a@file", 10, model("one", "1.gguf"))
	put(t, registry(t, Config{Store: store}), a)
	told := 0
	var r *Registry
	r = registry(t, Config{Store: store, Changed: func(v *View) {
		told++
		if r != nil && r.View() == v {
			t.Error("the view was seen before Changed returned")
		}
	}})
	if _, _, f := r.View().Find(proof(a, "one")); f != nil || told != 1 {
		t.Errorf("after New: told %d times, %v", told, f)
	}
	put(t, r, declared("b@file", 10, model("two", "2.gguf")))
	if told != 2 {
		t.Errorf("told %d times", told)
	}
}
