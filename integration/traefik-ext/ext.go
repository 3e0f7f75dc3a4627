// Package ext stands in for Traefik's nested module of the same path, which is
// missing from Traefik's own module archive since v3.7 (Traefik uses a relative
// replace for it). The types are empty there, too.
package ext

// HTTP extends Traefik's dynamic HTTP configuration by nothing.
type HTTP struct{}

// Router extends Traefik's dynamic router configuration by nothing.
type Router struct{}
