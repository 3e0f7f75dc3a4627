package check

import (
	"path"
	"strings"
	"time"
)

// container is one service of a compose file, as far as it matters here.
type container struct {
	name    string
	dir     string // of the compose file
	image   string
	command []string
	// volumes are by what they are in the container: target ─► path on the host, ""
	// for named volumes and what cannot be read here.
	volumes map[string]string
	// contents are inline configs, by their target.
	contents map[string]string
	hosts    []string // names by which other containers reach it
	ports    []string
	labels   map[string]string
	env      map[string]string
	stop     time.Duration // stop_grace_period, 10 s where it is not set

	at       Place            // of the service
	places   map[string]Place // of labels, by lower-case key
	commands []Place          // of the items of command
	envs     map[string]Place
	mounts   map[string]Place // of volumes, by target
	imageAt  Place
}

// isTraefik goes by the image's name, or by flags that only Traefik has.
func (c *container) isTraefik() bool {
	if repository(c.image) == "traefik" {
		return true
	}
	for _, arg := range c.command {
		low := strings.ToLower(strings.TrimLeft(arg, "-"))
		if strings.HasPrefix(arg, "--") && (strings.HasPrefix(low, "entrypoints.") || strings.HasPrefix(low, "providers.")) {
			return true
		}
	}
	return false
}

// repository is the last element of an image's name, without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := path.Base(image)
	name, _, _ = strings.Cut(name, ":")
	return name
}

// tag of an image, "" = none.
func tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, t, _ := strings.Cut(path.Base(image), ":")
	return t
}

// mounted says whether a path of the container lies on something mounted.
func (c *container) mounted(file string) bool {
	for target := range c.volumes {
		if within(file, target) {
			return true
		}
	}
	_, inline := c.contents[file]
	return inline
}

// onHost finds the file behind a path of the container, "" = none that can be
// read.
func (c *container) onHost(file string) string {
	best, host := "", ""
	for target, source := range c.volumes {
		if within(file, target) && len(target) > len(best) {
			best = target
			if host = source; source != "" {
				host = source + strings.TrimPrefix(path.Clean(file), target)
			}
		}
	}
	return host
}

func within(file, dir string) bool {
	file, dir = path.Clean(file), path.Clean(dir)
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}
