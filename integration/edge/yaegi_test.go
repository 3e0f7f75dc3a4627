package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hal0-dev/hal0/plugin/casetest"
	"github.com/mitchellh/mapstructure"
	"github.com/traefik/yaegi/interp"
	"github.com/traefik/yaegi/stdlib"
	"gopkg.in/yaml.v3"
)

// interpreted runs the plugin in Yaegi, loaded as Traefik loads a local plugin:
// one interpreter, the standard library's symbols, a GOPATH with the module, and
// the functions New and CreateConfig.
type interpreted struct {
	newHandler   reflect.Value
	createConfig reflect.Value
}

func loadPlugin(t testing.TB) interpreted {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	gopath := t.TempDir()
	parent := filepath.Join(gopath, "src", "github.com", "hal0-dev")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(parent, "hal0")); err != nil {
		t.Fatal(err)
	}
	i := interp.New(interp.Options{GoPath: gopath, Env: os.Environ()})
	if err := i.Use(stdlib.Symbols); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Eval(`import "github.com/hal0-dev/hal0/plugin"`); err != nil {
		t.Fatalf("load plugin: %v", err)
	}
	p := interpreted{}
	if p.newHandler, err = i.Eval("plugin.New"); err != nil {
		t.Fatal(err)
	}
	if p.createConfig, err = i.Eval("plugin.CreateConfig"); err != nil {
		t.Fatal(err)
	}
	return p
}

// handler makes an instance as Traefik does.
func (p interpreted) handler(ctx context.Context, next http.Handler, raw map[string]any, name string) (http.Handler, error) {
	config := p.createConfig.Call(nil)[0]
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		DecodeHook:       mapstructure.StringToSliceHookFunc(","),
		WeaklyTypedInput: true,
		Result:           config.Interface(),
	})
	if err != nil {
		return nil, fmt.Errorf("make decoder: %w", err)
	}
	if err := decoder.Decode(raw); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	results := p.newHandler.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(next), config, reflect.ValueOf(name)})
	if problem := results[1].Interface(); problem != nil {
		err, ok := problem.(error)
		if !ok {
			return nil, errors.New("New returned an error that compiled code does not know")
		}
		return nil, err
	}
	h, ok := results[0].Interface().(http.Handler)
	if !ok {
		return nil, errors.New("New returned no handler")
	}
	return h, nil
}

func (interpreted) Name() string { return "yaegi" }

func (p interpreted) Open(t *testing.T, setups []*casetest.Setup) {
	for _, s := range setups {
		raw, err := s.Config.Raw()
		if err != nil {
			s.Problem = err.Error()
			continue
		}
		h, err := p.handler(t.Context(), casetest.Proxy(s.Upstream), raw, s.ID+"@test")
		if err != nil {
			s.Problem = err.Error()
			continue
		}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		s.Provider = "test"
		s.Address = server.Listener.Addr().String()
	}
}

// TestCasesInYaegi runs the plugin's cases in plain Yaegi.
func TestCasesInYaegi(t *testing.T) {
	cases, err := casetest.Load("../../plugin/testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	casetest.Run(t, cases, loadPlugin(t))
}

// TestManifest makes an instance of .traefik.yml's testData in Yaegi, as the
// plugin catalogue does.
func TestManifest(t *testing.T) {
	content, err := os.ReadFile("../../.traefik.yml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		TestData map[string]any `yaml:"testData"`
	}
	if err := yaml.Unmarshal(content, &manifest); err != nil {
		t.Fatal(err)
	}
	if _, err := loadPlugin(t).handler(t.Context(), http.NotFoundHandler(), manifest.TestData, "test"); err != nil {
		t.Error(err)
	}
}
