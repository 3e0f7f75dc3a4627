package plugin_test

import (
	"image/png"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/decode"
	"gopkg.in/yaml.v3"
)

// TestManifest asserts what Traefik and the plugin catalogue ask of
// .traefik.yml and of the modules: the catalogue refuses a root module that
// requires Traefik or Yaegi.
func TestManifest(t *testing.T) {
	content, err := os.ReadFile("../.traefik.yml")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		DisplayName, Type, Import, Summary, Runtime, BasePkg, IconPath string
		TestData                                                       map[string]any
	}
	fields := map[string]any{}
	if err := yaml.Unmarshal(content, &fields); err != nil {
		t.Fatal(err)
	}
	for key, into := range map[string]*string{"displayName": &m.DisplayName, "type": &m.Type, "import": &m.Import, "summary": &m.Summary, "runtime": &m.Runtime, "basePkg": &m.BasePkg, "iconPath": &m.IconPath} {
		if *into, _ = fields[key].(string); *into == "" {
			t.Errorf("%s is missing", key)
		}
	}
	if m.Type != "middleware" || m.Runtime != "yaegi" || m.Import != "github.com/hal0-dev/hal0/plugin" || m.BasePkg != "plugin" {
		t.Errorf("manifest: %+v", m)
	}
	icon, err := os.Open("../" + m.IconPath)
	if err != nil {
		t.Fatal(err)
	}
	defer icon.Close()
	if _, err := png.Decode(icon); err != nil {
		t.Errorf("icon: %v", err)
	}
	testData, _ := fields["testData"].(map[string]any)
	config, err := decode.Config(testData)
	if err != nil {
		t.Fatal(err)
	}
	config.Sidecar = "" // the test's own process needs no declaration
	if _, err := plugin.New(t.Context(), http.NotFoundHandler(), config, "hal0@catalogue"); err != nil {
		t.Errorf("testData: %v", err)
	}
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{"github.com/traefik/traefik", "github.com/traefik/yaegi"} {
		if strings.Contains(string(module), refused) {
			t.Errorf("go.mod requires %s", refused)
		}
	}
}
