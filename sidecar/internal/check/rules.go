package check

// findings applies every rule to the whole setup.
func (s *setup) findings() []Finding {
	s.resolve()
	all := s.found
	for _, rule := range []func(*setup) []Finding{
		pluginConfig, engines, slotConflicts, sidecarAddress, tokenFile, // of the plugin
		sidecarConfig, notAllowed, // of the sidecar's own file
		secrets,
		ruleSyntax, routerKeys, routerTargets, references, duplicates, // of routers
		labelKeys, labelContainers, // of labels
		chainOrder, retryMissing, vhosts, unused, // of the chain
		pluginEnabled, fastProxy, timeouts, graceTimes, entryPointNames, providers, // of the static configuration
		traefikVersion, dockerSocket, // of the container
	} {
		all = append(all, rule(s)...)
	}
	return ordered(all)
}
