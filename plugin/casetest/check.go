package casetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// checkAnswer compares what the client got with what it must get.
func checkAnswer(t *testing.T, got reply, want Answer, fill func(string) string) {
	t.Helper()
	if want.Status != 0 && got.status != want.Status {
		t.Errorf("status %d, want %d", got.status, want.Status)
	}
	if got.cut != want.Cut {
		t.Errorf("answer broke off: %v, want %v", got.cut, want.Cut)
	}
	checkHeaders(t, got.header, want.Headers, fill)
	if want.Body != nil && got.body != fill(*want.Body) {
		t.Errorf("body %q, want %q", got.body, fill(*want.Body))
	}
	for _, text := range want.Has {
		if !strings.Contains(got.body, fill(text)) {
			t.Errorf("body lacks %q", text)
		}
	}
	for _, text := range want.Lacks {
		if strings.Contains(got.body, fill(text)) {
			t.Errorf("body holds %q", text)
		}
	}
	if want.Code != "" {
		checkCode(t, got, want.Code)
	}
	if t.Failed() {
		t.Logf("answer: %d %v\n%s", got.status, got.header, brief(got.body))
	}
}

// checkCode looks for a coded error: the whole JSON body, or exactly one event
// that is the last of a stream.
func checkCode(t *testing.T, got reply, code string) {
	t.Helper()
	text := got.body
	if strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream") {
		events := strings.Split(text, "\n\n")
		if len(events) < 2 || events[len(events)-1] != "" {
			t.Errorf("the stream does not end with a whole event")
			return
		}
		if n := strings.Count(text, `"details":{`); n != 1 {
			t.Errorf("%d error events", n)
		}
		if strings.Contains(text, "[DONE]") {
			t.Errorf("an error event and [DONE]")
		}
		last := events[len(events)-2]
		text = strings.TrimPrefix(last[strings.LastIndex(last, "\n")+1:], "data: ")
	} else if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("an error of type %q", kind)
	}
	var envelope struct {
		Error struct {
			Code, Message, Type string
			Details             wire.Details
		}
	}
	if err := json.Unmarshal([]byte(text), &envelope); err != nil {
		t.Errorf("the error is not JSON: %v in %q", err, text)
		return
	}
	e := envelope.Error
	if e.Code != code {
		t.Errorf("code %q, want %q", e.Code, code)
	}
	if e.Message == "" || e.Type == "" || e.Details.RequestID == "" || e.Details.RequestID != got.header.Get(wire.HeaderRequestID) {
		t.Errorf("error lacks message, type or the request's id: %s", text)
	}
	if s := got.status; (s == 503 || s == 429) && got.header.Get("Retry-After") == "" {
		t.Errorf("status %d without Retry-After", s)
	}
}

func checkHeaders(t *testing.T, got http.Header, want map[string]string, fill func(string) string) {
	t.Helper()
	for name, value := range want {
		has, there := got[textproto.CanonicalMIMEHeaderKey(name)]
		switch {
		case value == "" && there:
			t.Errorf("header %s: %q, want none", name, has)
		case value == "*" && !there:
			t.Errorf("header %s is missing", name)
		case value != "" && value != "*" && strings.Join(has, "|") != fill(value):
			t.Errorf("header %s: %q, want %q", name, has, fill(value))
		}
	}
}

// checkSighting compares what reached the upstream with what must.
func checkSighting(t *testing.T, s *Setup, want Sighting) {
	t.Helper()
	if want.Nothing || reflect.DeepEqual(want, Sighting{}) {
		select {
		case a := <-s.up.arrivals:
			if want.Nothing {
				t.Errorf("the upstream was asked: %s %s", a.request.Method, a.request.RequestURI)
			}
		default:
		}
		return
	}
	var a arrival
	select {
	case a = <-s.up.arrivals:
	case <-time.After(patience):
		t.Fatal("the upstream was not asked")
	}
	if want.Method != "" && a.request.Method != want.Method {
		t.Errorf("upstream saw method %s, want %s", a.request.Method, want.Method)
	}
	if want.Target != "" && a.request.RequestURI != want.Target {
		t.Errorf("upstream saw target %s, want %s", a.request.RequestURI, want.Target)
	}
	checkHeaders(t, a.request.Header, want.Headers, s.fill)
	if want.Body != nil && string(a.body) != s.fill(*want.Body) {
		t.Errorf("upstream saw body %q, want %q", brief(string(a.body)), *want.Body)
	}
	if want.Length != 0 && len(a.body) != want.Length {
		t.Errorf("upstream saw %d bytes, want %d", len(a.body), want.Length)
	}
	checkProof(t, s, a, want)
	if want.Left {
		select {
		case <-a.left:
		case <-time.After(patience):
			t.Error("the upstream did not notice that the client has gone")
		}
	}
}

func checkProof(t *testing.T, s *Setup, a arrival, want Sighting) {
	t.Helper()
	header := a.request.Header.Get(wire.HeaderProof)
	if want.Unsigned {
		for name := range a.request.Header {
			if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-hal0") {
				t.Errorf("upstream saw header %s", name)
			}
		}
		return
	}
	subject := wire.Subject{Purpose: wire.PurposeRequest, Method: a.request.Method, Path: a.request.URL.EscapedPath()}
	proof, err := wire.Verify([]string{s.secret}, subject, header, time.Now())
	if err != nil {
		t.Errorf("proof %q: %v", header, err)
		return
	}
	if n := len(a.request.Header.Values(wire.HeaderProof)); n != 1 {
		t.Errorf("%d proofs", n)
	}
	if proof.Slot != a.request.Header.Get(wire.HeaderSlot) {
		t.Errorf("header says slot %q, proof %q", a.request.Header.Get(wire.HeaderSlot), proof.Slot)
	}
	within(t, "proof", tree(t, proof), s.filled(want.Proof))
}

// within reports what of want is missing in got.
func within(t *testing.T, at string, got, want any) {
	t.Helper()
	w, ok := want.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
		return
	}
	g, _ := got.(map[string]any)
	for key, value := range w {
		if value == nil {
			if _, there := g[key]; there {
				t.Errorf("%s.%s: %v, want none", at, key, g[key])
			}
			continue
		}
		within(t, at+"."+key, g[key], value)
	}
}

// tree is what JSON makes of a value.
func tree(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func brief(s string) string {
	if len(s) > 2000 {
		return fmt.Sprintf("%s … (%d bytes)", s[:2000], len(s))
	}
	return s
}
