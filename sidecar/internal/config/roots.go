package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"
)

// checkRoots refuses a file with an unknown top-level key: paerser names the
// unknown keys below it but drops those at the top without a word. It reports
// whether the file says anything: paerser takes one that does not for a mistake.
func checkRoots(path string) (says bool, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	data := map[string]any{}
	switch ext := filepath.Ext(path); ext {
	case ".toml":
		err = toml.Unmarshal(b, &data)
	case ".yml", ".yaml", ".json":
		err = yaml.Unmarshal(b, &data)
	default:
		return false, fmt.Errorf("%q is not a known ending: use .yml, .yaml, .toml or .json", ext)
	}
	if err != nil {
		return false, err
	}
	known := map[string]bool{}
	fields := reflect.TypeOf(Config{})
	for i := range fields.NumField() {
		known[strings.ToLower(fields.Field(i).Name)] = true
	}
	for _, k := range keys(data) {
		if !known[strings.ToLower(k)] {
			return false, fmt.Errorf("%s: there is no such key", k)
		}
	}
	return len(data) > 0, nil
}
