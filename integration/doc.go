// Package integration holds the black-box tests: what hal0's readme promises,
// tried with the built binary, a real Traefik, unmodified SDKs and a real
// llama-server. Each test's name begins with the bar it stands for; package bed
// has the means. `integration/run` installs what is needed and runs them.
package integration
