// Command bench measures what each part of the way from a client to an engine
// costs, side by side in one run on loopback: the engine asked directly, a plain
// httputil.ReverseProxy, a plain Traefik, the sidecar alone, Traefik without the
// plugin in front of the sidecar, and all of it.
//
//	integration/install && go -C integration run ./bench
//
// It prints tables of figures and of what they are against the engine's own,
// and writes them with -json as JSON and with -svg as a picture. The engine is
// one that answers after 2 ms, or at the pace it is told, so that what is left
// are the costs of the way; a real llama-server is booted for the cold start.
//
// Every figure is taken several times, each round over all ways in turn, so
// that all of them meet the same weather; the median is told with the smallest
// and the largest. Only figures of one run can be compared.
package main
