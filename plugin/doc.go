//go:build go1.21

// Package plugin is the edge: a Traefik middleware, interpreted by Yaegi inside
// Traefik and compiled into the sidecar.
//
// Vocabulary. A route is one instance of the middleware, named by Traefik. Its
// Config is what labels say; settings are that, checked. For each request the
// edge decides (path, host, origin, key, model ─► slot), signs what it decided
// with the token, hands the request on, and watches the answer: the writer lets
// only whole SSE events through, and the ending is what it adds when the
// upstream is lost. A refusal is an answer that the edge gives itself. The
// declarer tells the sidecar what the route serves.
//
// Concurrency. A Handler is immutable after New. A writer belongs to the
// goroutine that serves its request (a proxy that writes from another one must
// order its writes before its return, as all do). Whatever watches a stream does
// nothing but cancel its context with a cause; the serving goroutine acts on it.
// State that is shared between instances is package-level, since Traefik makes
// and drops instances at each reload: the token cache, the body budget, the
// declarers and the shutdown signal, each behind one mutex of its own. What an
// instance starts ends with the context that New was given.
//
// The language is what Yaegi v0.16.1 runs: standard library only, no generics,
// no min/max/clear, no errors.As, loop variables shared between iterations.
// The build tag on every file makes the compiler agree on most of that; a test
// looks for the rest.
package plugin
