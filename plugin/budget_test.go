package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	b := &budget{left: 10 << 20, large: map[string]int{}}
	var held []*share
	for i := range budgetLarge + 1 {
		s := &share{from: b, client: "10.0.0.1"}
		if !s.grow(largeBody) {
			t.Fatalf("share %d: no room for a small body", i)
		}
		if ok := s.grow(1); ok != (i < budgetLarge) {
			t.Fatalf("share %d: large body: %v", i, ok)
		}
		held = append(held, s)
	}
	other := &share{from: b, client: "10.0.0.2"}
	if !other.grow(largeBody + 1) {
		t.Error("one address takes another's room")
	}
	held[0].settle(held[0].bytes)
	if !held[budgetLarge].grow(1) {
		t.Error("a body that was read counts on as one being read")
	}
	if other.grow(10 << 20) {
		t.Error("the budget has no bound")
	}
	for _, s := range append(held, other) {
		s.release()
		s.release()
	}
	if b.left != 10<<20 || len(b.large) != 0 {
		t.Errorf("after all is released: %d bytes left, %v", b.left, b.large)
	}
}

// A token that changes is read again; one that cannot be read is asked for
// again each time.
func TestTokenChanges(t *testing.T) {
	c := &tokenCache{files: map[string]*tokenFile{}}
	path := filepath.Join(t.TempDir(), "token")
	write := func(content string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if _, problem := c.get(path); !strings.Contains(problem, path) {
		t.Errorf("no file: %q", problem)
	}
	write(goodToken, time.Hour)
	if got, problem := c.get(path); got != goodToken || problem != "" {
		t.Errorf("got %q, %q", got, problem)
	}
	second := strings.Replace(goodToken, "A", "B", 1)
	write(second, time.Minute)
	if got, _ := c.get(path); got != second {
		t.Errorf("got %q after a change", got)
	}
	write("rubbish", time.Second)
	if got, problem := c.get(path); got != "" || problem == "" || strings.Contains(problem, "rubbish") {
		t.Errorf("got %q, %q", got, problem)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, problem := c.get(path); got != "" || problem == "" {
		t.Errorf("got %q, %q after removal", got, problem)
	}
}
