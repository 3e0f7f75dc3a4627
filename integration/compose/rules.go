package compose

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Load reads one or more compose files as `docker compose -f … config` does,
// with all profiles on and no variables set but env ("NAME=value").
func Load(ctx context.Context, dir string, env []string, files ...string) (*types.Project, error) {
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, f))
	}
	o, err := cli.NewProjectOptions(paths,
		cli.WithWorkingDirectory(dir), cli.WithEnv(env), cli.WithProfiles([]string{"*"}), cli.WithInterpolation(true), cli.WithResolvedPaths(false))
	if err != nil {
		return nil, fmt.Errorf("read compose options: %w", err)
	}
	p, err := o.LoadProject(ctx)
	if err != nil {
		return nil, fmt.Errorf("load compose file: %w", err)
	}
	return p, nil
}

// Flavours are the overrides in examples/, one for each kind of GPU.
func Flavours() []string { return []string{"cuda", "rocm", "vulkan", "intel"} }

// Rule names what is wrong with a project.
type Rule func(p *types.Project) []string

// Rules are all of them, by name.
func Rules() map[string]Rule {
	return map[string]Rule{
		"pins":       each(pinned),
		"health":     healthTargets,
		"checks":     each(checked),
		"restart":    each(restarts),
		"privileges": each(unprivileged),
		"users":      each(ordinary),
		"socket":     each(socketless),
		"ports":      each(published),
		"logs":       each(rotated),
	}
}

// Check applies every rule.
func Check(p *types.Project) []string {
	var all []string
	for name, rule := range Rules() {
		for _, problem := range rule(p) {
			all = append(all, name+": "+problem)
		}
	}
	sort.Strings(all)
	return all
}

// each makes a rule of one for a service, which says "" or what is wrong.
func each(rule func(s types.ServiceConfig) string) Rule {
	return func(p *types.Project) []string {
		var all []string
		for _, name := range p.ServiceNames() {
			s := p.Services[name]
			if problem := rule(s); problem != "" {
				all = append(all, name+" "+problem)
			}
		}
		return all
	}
}

// version is a tag that names one version: it has a number in it.
var version = regexp.MustCompile(`:[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*$|@sha256:[0-9a-f]{64}$`)

// pinned wants a version on every image that comes from elsewhere.
func pinned(s types.ServiceConfig) string {
	if s.Build != nil {
		for name, value := range s.Build.Args {
			if strings.HasSuffix(name, "_IMAGE") && value != nil && !version.MatchString(*value) {
				return fmt.Sprintf("builds from %s, which names no version", *value)
			}
		}
		return ""
	}
	if strings.HasSuffix(s.Image, ":local") || version.MatchString(s.Image) {
		return ""
	}
	return fmt.Sprintf("runs %q, which names no version", s.Image)
}

// healthTargets wants a health check where somebody waits for health.
func healthTargets(p *types.Project) []string {
	var all []string
	for _, name := range p.ServiceNames() {
		for target, d := range p.Services[name].DependsOn {
			if d.Condition != types.ServiceConditionHealthy {
				continue
			}
			if t := p.Services[target]; t.HealthCheck == nil || t.HealthCheck.Disable {
				all = append(all, fmt.Sprintf("%s waits for the health of %s, which has no health check", name, target))
			}
		}
	}
	return all
}

// guest reports whether a service is one of those that are not started unless
// asked for: other people's images, which hold no part of hal0.
func guest(s types.ServiceConfig) bool { return len(s.Profiles) > 0 }

// checked wants a health check of the program's own: no shell, no curl. Of
// guests it wants any without a shell.
func checked(s types.ServiceConfig) string {
	if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
		return "has no health check"
	}
	foreign := slices.Contains([]string{"sh", "bash", "curl", "wget"}, s.HealthCheck.Test[1]) && !guest(s)
	if s.HealthCheck.Test[0] != "CMD" || foreign {
		return fmt.Sprintf("is checked by %v, not by a command of its own", s.HealthCheck.Test)
	}
	return ""
}

func restarts(s types.ServiceConfig) string {
	if slices.Contains([]string{"no", "always", "unless-stopped", "on-failure"}, strings.SplitN(s.Restart, ":", 2)[0]) {
		return ""
	}
	return fmt.Sprintf("has restart: %q, which is no policy", s.Restart)
}

func unprivileged(s types.ServiceConfig) string {
	switch {
	case s.Privileged:
		return "is privileged"
	case !slices.Contains(s.CapDrop, "ALL"):
		return "keeps capabilities"
	case len(s.CapAdd) > 0:
		return fmt.Sprintf("adds capabilities %v", s.CapAdd)
	case !slices.Contains(s.SecurityOpt, "no-new-privileges:true"):
		return "may gain privileges"
	case !s.ReadOnly:
		return "can write to its image"
	case s.Init == nil || !*s.Init:
		return "has no init"
	case s.NetworkMode == "host" || s.Pid == "host" || s.Ipc == "host":
		return "shares a namespace with the host"
	}
	return ""
}

// holder is the one service that may hold Docker's socket, as the socket's
// owner.
const holder = "socket-proxy"

// ordinary wants nobody to be root but the socket's holder. A guest whose image
// belongs to root may be, as unprivileged leaves it no more than its own files.
func ordinary(s types.ServiceConfig) string {
	uid, _, _ := strings.Cut(s.User, ":")
	if s.Name != holder && !guest(s) && (uid == "" || uid == "0" || uid == "root") {
		return fmt.Sprintf("runs as %q", s.User)
	}
	return ""
}

func socketless(s types.ServiceConfig) string {
	for _, v := range s.Volumes {
		if !strings.Contains(v.Source, "docker.sock") && !strings.Contains(v.Target, "docker.sock") {
			continue
		}
		if s.Name != holder {
			return "holds Docker's socket"
		}
		if len(s.Ports) > 0 || len(s.Networks) != 1 {
			return "holds Docker's socket and can be reached from elsewhere"
		}
	}
	return ""
}

// published wants nobody but Traefik to have a port on the host.
func published(s types.ServiceConfig) string {
	for _, p := range s.Ports {
		switch {
		case s.Name != "traefik":
			return "publishes a port past Traefik"
		case p.HostIP == "":
			return fmt.Sprintf("publishes port %s without saying where", p.Published)
		}
	}
	return ""
}

func rotated(s types.ServiceConfig) string {
	if s.Logging == nil || s.Logging.Options["max-size"] == "" {
		return "keeps its log for ever"
	}
	return ""
}
