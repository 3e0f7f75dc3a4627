package check

import (
	"sort"
	"strings"
	"time"
)

// pluginEnabled: the static configuration must load the plugin under the name that
// is used.
func pluginEnabled(s *setup) []Finding {
	enabled := map[string]*node{}
	var out []Finding
	for _, st := range s.statics {
		for _, section := range []string{"plugins", "localPlugins"} {
			for _, n := range st.root.child("experimental", section).all() {
				enabled[strings.ToLower(n.name)] = n
				name := n.child("moduleName")
				ours := name.text() == module
				switch near := nearest(name.text(), []string{module}); {
				case ours && section == "plugins" && n.child("version") == nil:
					out = append(out, failure(n.at, "plugin-not-enabled", "version is missing, so Traefik disables all plugins: add the version to load"))
				case !ours && near != "" && strings.EqualFold(n.name, "hal0"):
					out = append(out, failure(name.at, "plugin-not-enabled", "there is no module %q, did you mean %s?", name.text(), near))
				}
			}
		}
	}
	if !s.complete {
		return out
	}
	for _, i := range s.instances {
		if enabled[strings.ToLower(i.config.name)] == nil {
			hint := "enable it as experimental.plugins." + i.config.name + " (moduleName " + module + ", and version)"
			if names := sortedKeys(enabled); len(names) > 0 {
				if near := nearest(i.config.name, names); near != "" {
					hint = "did you mean " + near + "?"
				}
			}
			out = append(out, failure(i.config.at, "plugin-not-enabled", "Traefik's static configuration loads no plugin named %s: %s", i.config.name, hint))
		}
	}
	return out
}

// fastProxy does not notice that a client has gone.
func fastProxy(s *setup) []Finding {
	n := s.setting("experimental", "fastProxy")
	if n == nil || !n.on() || len(s.instances) == 0 {
		return nil
	}
	return []Finding{failure(n.at, "fast-proxy", "FastProxy does not notice when a client goes away or an engine stalls: remove it")}
}

// used are the entry points that routers of ours listen on.
func (s *setup) used() []*node {
	names := map[string]bool{}
	for _, r := range s.routers {
		if r.ours >= 0 {
			for _, p := range r.points {
				names[strings.ToLower(p)] = true
			}
		}
	}
	var out []*node
	points := s.entryPoints()
	for _, name := range sortedKeys(names) {
		if n := points[name]; n != nil {
			out = append(out, n)
		}
	}
	return out
}

const (
	// uploadTime is Traefik's own readTimeout; less cuts ordinary uploads.
	uploadTime = 60 * time.Second
	// answerTime is as long as answers take now and then.
	answerTime = 30 * time.Minute
)

// timeouts of entry points and transports that cut uploads, streams or waits.
func timeouts(s *setup) []Finding {
	var out []Finding
	for _, point := range s.used() {
		read := point.child("transport", "respondingTimeouts", "readTimeout")
		d, ok := duration(read.text())
		switch {
		case read == nil:
			if s.takesUploads() {
				out = append(out, warning(point.at, "read-timeout", "uploads that take longer than 60s are cut, which is Traefik's default: set transport.respondingTimeouts.readTimeout to 0, or to as long as they may take"))
			}
		case ok && d > 0 && d < uploadTime:
			out = append(out, failure(read.at, "read-timeout", "uploads that take longer than %s are cut: set it to 0, or to as long as they may take", d))
		}
		write := point.child("transport", "respondingTimeouts", "writeTimeout")
		if d, ok := duration(write.text()); ok && d > 0 {
			if d < answerTime {
				out = append(out, failure(write.at, "write-timeout", "streams are cut after %s: set it to 0", d))
			} else {
				out = append(out, warning(write.at, "write-timeout", "streams are cut after %s: set it to 0", d))
			}
		}
	}
	header := s.setting("serversTransport", "forwardingTimeouts", "responseHeaderTimeout")
	if d, ok := duration(header.text()); ok && d > 0 && d < answerTime && len(s.instances) > 0 {
		out = append(out, failure(header.at, "header-timeout", "requests that wait longer than %s for a model to boot are cut: set it to 0", d))
	}
	return append(out, s.transports()...)
}

// transports that our services name.
func (s *setup) transports() []Finding {
	var out []Finding
	all := s.parts("http", "serversTransports")
	for _, p := range s.parts("http", "services") {
		name := p.child("loadBalancer", "serversTransport").text()
		if name == "" || !s.leadsToSidecar(p) {
			continue
		}
		if t := lookup(all, name, p.provider); t != nil {
			header := t.child("forwardingTimeouts", "responseHeaderTimeout")
			if d, ok := duration(header.text()); ok && d > 0 && d < answerTime {
				out = append(out, failure(header.at, "header-timeout", "requests that wait longer than %s for a model to boot are cut: set it to 0", d))
			}
		}
	}
	return out
}

// takesUploads says whether a model takes audio or images as forms.
func (s *setup) takesUploads() bool {
	for _, i := range s.instances {
		for _, m := range i.route.Models {
			if contains(m.Capabilities, "transcription") || contains(m.Capabilities, "image") {
				return true
			}
		}
	}
	return false
}

// traefikGrace is Traefik's where nothing is set.
const traefikGrace = 10 * time.Second

// graceTimes: Traefik must outlive what the plugin gives streams at its end, and
// Docker must outlive both.
func graceTimes(s *setup) []Finding {
	if !s.complete {
		return nil
	}
	var longest *instance
	for _, i := range s.instances {
		if longest == nil || i.shutdownAfter() > longest.shutdownAfter() {
			longest = i
		}
	}
	if longest == nil {
		return nil
	}
	after := longest.shutdownAfter()
	at := longest.config.at
	if n := longest.config.child("shutdownAfter"); n != nil {
		at = n.at
	}
	var out []Finding
	most := after
	for _, point := range s.used() {
		life := point.child("transport", "lifeCycle")
		grace, place := traefikGrace, at
		if n := life.child("graceTimeOut"); n != nil {
			d, ok := duration(n.text())
			if !ok {
				continue
			}
			grace, place = d, n.at
		}
		if d, ok := duration(life.child("requestAcceptGraceTimeout").text()); ok {
			grace += d
		}
		if grace <= after {
			out = append(out, failure(place, "grace-time", "entry point %s cuts streams %s after SIGTERM, before hal0 ends them (shutdownAfter %s): set its graceTimeOut above that", point.name, grace, after))
		}
		most = max(most, grace)
	}
	for _, c := range s.containers {
		if c.isTraefik() && c.stop <= after {
			out = append(out, failure(c.at, "grace-time", "Docker kills %s after %s (stop_grace_period), before hal0 ends its streams (shutdownAfter %s): set it above %s", c.name, c.stop, after, most))
		}
	}
	return out
}

// entryPointNames: a router on an entry point that there is not listens nowhere.
func entryPointNames(s *setup) []Finding {
	points := s.entryPoints()
	if !s.complete || len(points) == 0 {
		return nil
	}
	names := sortedKeys(points)
	sort.Strings(names)
	var out []Finding
	for _, r := range s.routers {
		own := r.child("entryPoints")
		for _, name := range own.list() {
			if points[strings.ToLower(name)] == nil && !strings.EqualFold(name, "traefik") {
				hint := "there are " + strings.Join(names, ", ")
				if near := nearest(name, names); near != "" {
					hint = "did you mean " + near + "?"
				}
				out = append(out, failure(own.at, "entry-point", "there is no entry point %s; %s", name, hint))
			}
		}
	}
	return out
}

// providers: labels are read only where the Docker provider is on.
func providers(s *setup) []Finding {
	if !s.complete || s.setting("providers", "docker") != nil || s.setting("providers", "swarm") != nil {
		return nil
	}
	for _, i := range s.instances {
		if i.provider == byLabels {
			return []Finding{failure(i.at, "no-provider", "Traefik reads labels only with its Docker provider: add providers.docker to its static configuration")}
		}
	}
	return nil
}
