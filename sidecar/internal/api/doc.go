// Package api is HTTP in. The data handler serves /v1 to those who bring a
// plugin's proof (or to all, through the middleware that is compiled in, where
// the sidecar has a route of its own). The control handler serves the people and
// programs that look after the box.
//
// This is the edge: here a refusal or an outcome becomes a status, a header or a
// last event, and nowhere else. Handlers hold no state but the set of requests
// that are being served, which a mutex of its own guards.
package api
