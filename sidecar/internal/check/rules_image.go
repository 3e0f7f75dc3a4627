package check

import (
	"path"
	"regexp"
	"strconv"
)

var version = regexp.MustCompile(`^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-|$)`)

// traefikVersion: 3.6.1 is the first that talks to current Docker engines.
func traefikVersion(s *setup) []Finding {
	if len(s.instances) == 0 {
		return nil
	}
	var out []Finding
	for _, c := range s.containers {
		if repository(c.image) != "traefik" {
			continue
		}
		m := version.FindStringSubmatch(tag(c.image))
		if m == nil {
			continue
		}
		// What a tag leaves open is the newest.
		number := func(i int) int {
			if n, err := strconv.Atoi(m[i]); err == nil {
				return n
			}
			return 1 << 20
		}
		major, minor, patch := number(1), number(2), number(3)
		if major > 3 || major == 3 && (minor > 6 || minor == 6 && patch >= 1) {
			continue
		}
		at := c.imageAt
		if at.File == "" {
			at = c.at
		}
		out = append(out, failure(at, "traefik-version", "Traefik %s is older than 3.6.1, which cannot talk to current Docker engines: use traefik:v3.7 or later", tag(c.image)))
	}
	return out
}

// dockerSocket: who has it is root on the host.
func dockerSocket(s *setup) []Finding {
	if len(s.instances) == 0 {
		return nil
	}
	var out []Finding
	for _, c := range s.containers {
		if !c.isTraefik() {
			continue
		}
		for _, target := range sortedKeys(c.volumes) {
			if path.Base(target) != "docker.sock" && path.Base(c.volumes[target]) != "docker.sock" {
				continue
			}
			at := c.mounts[target]
			if at.File == "" {
				at = c.at
			}
			out = append(out, warning(at, "docker-socket", "whoever takes over %s is root on the host with this socket, read-only or not: put `hal0 socket-proxy` between, or use the file provider", c.name))
		}
	}
	return out
}
