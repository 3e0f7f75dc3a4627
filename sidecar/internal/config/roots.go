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
// unknown keys below it but drops those at the top without a word.
func checkRoots(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data := map[string]any{}
	switch ext := filepath.Ext(path); ext {
	case ".toml":
		err = toml.Unmarshal(b, &data)
	case ".yml", ".yaml", ".json":
		err = yaml.Unmarshal(b, &data)
	default:
		return fmt.Errorf("%q is not a known ending: use .yml, .yaml, .toml or .json", ext)
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	fields := reflect.TypeOf(Config{})
	for i := range fields.NumField() {
		known[strings.ToLower(fields.Field(i).Name)] = true
	}
	for _, k := range keys(data) {
		if !known[strings.ToLower(k)] {
			return fmt.Errorf("%s: there is no such key", k)
		}
	}
	return nil
}
