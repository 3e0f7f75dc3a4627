package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	list, err := Keys(Default())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, k := range list {
		seen[k.Name] = k.Default
		if k.Description == "" {
			t.Errorf("%s has no description", k.Name)
		}
	}
	for name, def := range map[string]string{"listen.data": "127.0.0.1:8090", "limits.queue": "256", "engines.<name>.command": "", "log.level": "info"} {
		if got, ok := seen[name]; !ok || got != def {
			t.Errorf("%s: default %q (listed: %v), want %q", name, got, ok, def)
		}
	}
	var out bytes.Buffer
	if err := WriteKeys(&out, Default()); err != nil || !strings.Contains(out.String(), "--limits.queue") {
		t.Errorf("WriteKeys: %v\n%s", err, out.String())
	}
}
