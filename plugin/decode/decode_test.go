package decode_test

import (
	"reflect"
	"testing"

	"github.com/hal0-dev/hal0/plugin/decode"
)

// The four forms of one configuration decode to the same Config.
func TestForms(t *testing.T) {
	labels := map[string]string{
		"traefik.enable": "true",
		"traefik.http.middlewares.hal0-retry.retry.attempts":                     "40",
		"traefik.http.middlewares.hal0.plugin.hal0.keys[0]":                      "laptop:sha256:00",
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.model":         "hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0",
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.aliases":       "gpt-4o-mini,qwen3:0.6b",
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.context":       "8192",
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.preload":       "true",
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.params.set":    `{"a": 1}`,
		"traefik.http.middlewares.hal0.plugin.hal0.models.primary.timeouts.idle": "5m",
	}
	yaml := `
http:
  routers: {api: {rule: "PathPrefix(` + "`/`" + `)", service: x}}
  middlewares:
    hal0-retry: {retry: {attempts: 40}}
    hal0:
      plugin:
        hal0:
          keys: ["laptop:sha256:00"]
          models:
            primary:
              model: hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0
              aliases: [gpt-4o-mini, "qwen3:0.6b"]
              context: 8192
              preload: true
              params: {set: '{"a": 1}'}
              timeouts: {idle: 5m}
`
	toml := `
[http.middlewares.hal0.plugin.hal0]
keys = ["laptop:sha256:00"]
[http.middlewares.hal0.plugin.hal0.models.primary]
model = "hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0"
aliases = ["gpt-4o-mini", "qwen3:0.6b"]
context = 8192
preload = true
params.set = '{"a": 1}'
timeouts.idle = "5m"
`
	kv := map[string]string{
		"traefik/http/middlewares/hal0/plugin/hal0/keys/0":                       "laptop:sha256:00",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/model":         "hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/aliases/0":     "gpt-4o-mini",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/aliases/1":     "qwen3:0.6b",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/context":       "8192",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/preload":       "true",
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/params/set":    `{"a": 1}`,
		"traefik/http/middlewares/hal0/plugin/hal0/models/primary/timeouts/idle": "5m",
	}
	want, err := decode.Config(only(t)(decode.Labels(labels, "hal0")))
	if err != nil {
		t.Fatal(err)
	}
	if m := want.Models["primary"]; len(m.Aliases) != 2 || m.Context != "8192" || m.Preload != "true" || m.Params.Set != `{"a": 1}` || m.Timeouts.Idle != "5m" || len(want.Keys) != 1 {
		t.Fatalf("labels: %+v", want)
	}
	for name, raw := range map[string]decode.Raw{
		"yaml": only(t)(decode.YAML([]byte(yaml), "hal0")),
		"toml": only(t)(decode.TOML([]byte(toml), "hal0")),
		"kv":   only(t)(decode.KV(kv, "traefik", "hal0")),
	} {
		got, err := decode.Config(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

func only(t *testing.T) func(map[string]decode.Raw, error) decode.Raw {
	return func(found map[string]decode.Raw, err error) decode.Raw {
		t.Helper()
		if err != nil || len(found) != 1 || found["hal0"] == nil {
			t.Fatalf("found %v, %v", found, err)
		}
		return found["hal0"]
	}
}
