package wire

import (
	"reflect"
	"testing"
	"time"
)

// A draft and a moment make the proof that Sign makes of both together.
func TestSignDraft(t *testing.T) {
	const token = "hal0_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	now := time.Now()
	m := Moment{TimeMS: now.UnixMilli(), RequestID: "a", Scope: "header:\"ä\"\n", Lane: "l", Client: "::1"}
	standing := Proof{Route: "r@\"docker\"", Fingerprint: "f", Since: 7, Slot: "s", CommitAfterMS: 20000, HeartbeatMS: 10000,
		Model: &Model{Slot: "s", Model: "hf:a/b", Aliases: []string{`"t":0,`}}}
	whole := standing
	whole.TimeMS, whole.RequestID, whole.Scope, whole.Lane, whole.Client = m.TimeMS, m.RequestID, m.Scope, m.Lane, m.Client
	s := Subject{Purpose: PurposeRequest, Method: "POST", Path: "/v1/x"}
	for name, header := range map[string]string{"draft": SignDraft(token, s, standing.Draft(), m), "whole": Sign(token, s, whole)} {
		got, err := Verify([]string{token}, s, header, now)
		if err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := Verify([]string{token}, s, SignDraft(token, s, Proof{Route: "r"}.Draft(), Moment{TimeMS: m.TimeMS}), now); err != nil || got.Route != "r" || got.TimeMS != m.TimeMS {
		t.Errorf("least proof: %+v, %v", got, err)
	}
}
