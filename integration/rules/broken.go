// Package rules holds what `hal0 check` says of a configuration against what a real
// Traefik says of it: router rules against its parser, broken configurations
// against its log.
package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// broken is one of the configurations that the tests of `hal0 check` hold, made
// ready to stand beside others in one Traefik: the names of its routers, services
// and middlewares begin with its own.
type broken struct {
	name   string
	labels map[string]map[string]string // by container
	file   string                       // YAML; "" = none
	wants  []want
}

// want is a finding of the golden file.
type want struct {
	severity, key, message, rule string
}

var findingLine = regexp.MustCompile(`^\S+: (error|warning): (?:(\S+): )?(.*) \[([a-z-]+)\]$`)

// load reads a case. It is nil where the case is about more than labels and one
// dynamic file: those are checks of what stands around Traefik.
func load(dir string) (*broken, error) {
	b := &broken{name: filepath.Base(dir), labels: map[string]map[string]string{}}
	golden, err := os.ReadFile(filepath.Join(dir, "want.txt"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(golden)), "\n") {
		if m := findingLine.FindStringSubmatch(line); m != nil {
			b.wants = append(b.wants, want{m[1], m[2], m[3], m[4]})
		} else if line != "" {
			return nil, fmt.Errorf("read %s: %q is not a finding", dir, line)
		}
	}
	for name, take := range map[string]func(map[string]any) error{"docker-compose.yml": b.compose, "dynamic.yml": b.dynamic} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		content := map[string]any{}
		if err := yaml.Unmarshal(text, &content); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
		}
		if err := take(content); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
		}
	}
	return b, nil
}

var namedLabel = regexp.MustCompile(`(?i)^(traefik\.[a-z]+\.(?:routers|services|middlewares)\.)([^.]+)`)

func (b *broken) compose(content map[string]any) error {
	services, _ := content["services"].(map[string]any)
	for service, v := range services {
		fields, _ := v.(map[string]any)
		labels := map[string]string{}
		switch list := fields["labels"].(type) {
		case map[string]any:
			for key, value := range list {
				labels[key] = fmt.Sprint(value)
			}
		case []any:
			for _, item := range list {
				key, value, _ := strings.Cut(fmt.Sprint(item), "=")
				labels[key] = value
			}
		}
		if len(labels) == 0 {
			continue
		}
		own := map[string]string{}
		for key, value := range labels {
			low := strings.ToLower(key)
			if strings.HasSuffix(low, ".middlewares") || strings.HasSuffix(low, ".service") {
				value = b.renamed(value)
			}
			own[namedLabel.ReplaceAllString(key, "${1}"+b.name+"-${2}")] = value
		}
		b.labels[service] = own
	}
	return nil
}

// renamed puts our name before each of a list of names.
func (b *broken) renamed(list string) string {
	names := strings.Split(list, ",")
	for i, n := range names {
		names[i] = b.name + "-" + strings.TrimSpace(n)
	}
	return strings.Join(names, ",")
}

func (b *broken) dynamic(content map[string]any) error {
	http, _ := content["http"].(map[string]any)
	for section, v := range http {
		parts, _ := v.(map[string]any)
		own := map[string]any{}
		for name, part := range parts {
			b.references(part)
			own[b.name+"-"+name] = part
		}
		http[section] = own
	}
	text, err := yaml.Marshal(content)
	b.file = string(text)
	return err
}

// references renames what routers, chains and services refer to.
func (b *broken) references(v any) {
	fields, ok := v.(map[string]any)
	if !ok {
		return
	}
	for key, value := range fields {
		switch key {
		case "middlewares", "parentRefs":
			list, _ := value.([]any)
			for i := range list {
				list[i] = b.renamed(fmt.Sprint(list[i]))
			}
		case "service", "serversTransport":
			fields[key] = b.renamed(fmt.Sprint(value))
		case "chain", "loadBalancer":
			b.references(value)
		}
	}
}
