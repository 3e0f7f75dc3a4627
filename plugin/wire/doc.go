//go:build go1.21

// Package wire is the contract between the plugin (interpreted inside Traefik)
// and the sidecar (compiled): header names and their signed content, the table
// of OpenAI endpoints, what a route declares about its models, the table of
// error codes and the envelopes that carry them.
//
// Vocabulary. A route is one instance of the middleware, named by Traefik
// ("hal0@docker"). It declares models; each model has a slot, the name under
// which a sidecar runs it. A proof is the signed header that says what the
// plugin decided about one request. A failure is a coded error on its way to a
// client.
//
// Everything here is a constant, a plain struct or a pure function: no I/O, no
// clock, no state. It runs interpreted by Yaegi v0.16.1, so it keeps to the
// language that Yaegi knows: no generics, no custom error types, no min/max,
// and loop variables are shared between iterations.
package wire
