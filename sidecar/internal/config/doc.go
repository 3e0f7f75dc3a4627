// Package config is the sidecar's own configuration: what this box may run, and
// where it listens and keeps its state. It is read from a file (YAML or TOML),
// from HAL0_* variables and from flags; flags win over variables, variables over
// the file. Everything is validated at once: Load's error names every problem.
//
// Values come in as text and stay text in Config; the methods of the parts give
// them as numbers and durations, after Validate has seen that they can.
package config
