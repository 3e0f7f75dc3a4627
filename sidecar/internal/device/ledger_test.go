package device

import (
	"errors"
	"sync"
	"testing"
)

func TestLedger(t *testing.T) {
	l := NewLedger()
	l.Capacity(Host, 10)
	l.Capacity("gpu", 4)
	a, err := l.Reserve("a", []Share{{Host, 6}, {"gpu", 4}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Reserve("b", []Share{{Host, 4}, {"gpu", 1}}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("over the capacity: %v", err)
	}
	b, err := l.Reserve("b", []Share{{Host, 4}})
	if err != nil {
		t.Fatalf("a refused reservation left something behind: %v", err)
	}
	if _, err := l.Reserve("c", []Share{{"nowhere", 1}}); err == nil || errors.Is(err, ErrNoRoom) {
		t.Errorf("on an account that is not there: %v", err)
	}
	b.Correct(Host, 1)
	if got := l.Accounts(); len(got) != 2 || got[0].Free() != 3 || got[1].Free() != 0 || got[0].Holders[1].Owner != "b" {
		t.Errorf("accounts are %+v", got)
	}
	a.Quarantine()
	if got := l.Accounts()[1]; !got.Holders[0].Quarantined {
		t.Errorf("account is %+v", got)
	}
	a.Release()
	a.Release()
	if got := l.Accounts()[1].Free(); got != 4 {
		t.Errorf("%d free after release, want 4", got)
	}
	a.Correct("gpu", 3)
	if got := l.Accounts()[1].Free(); got != 4 {
		t.Errorf("a released reservation holds %d", 4-got)
	}
	l.Capacity(Host, Unknown)
	if _, err := l.Reserve("d", []Share{{Host, 1 << 60}}); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	if got := l.Accounts()[0].Free(); got != Unknown {
		t.Errorf("free without a limit is %d", got)
	}
}

// TestLedgerNeverOver: whatever races, no account is over its capacity.
func TestLedgerNeverOver(t *testing.T) {
	l := NewLedger()
	l.Capacity(Host, 7)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				r, err := l.Reserve("x", []Share{{Host, 3}})
				if err != nil {
					continue
				}
				if a := l.Accounts()[0]; a.Reserved > a.Capacity {
					t.Errorf("%d of %d are reserved", a.Reserved, a.Capacity)
				}
				r.Release()
			}
		})
	}
	wg.Wait()
	if a := l.Accounts()[0]; a.Reserved != 0 {
		t.Errorf("%d are left", a.Reserved)
	}
}
