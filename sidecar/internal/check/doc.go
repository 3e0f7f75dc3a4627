// Package check says what is wrong with a configuration before Traefik starts
// with it: what Traefik would swallow, what New of the plugin would refuse, and
// what would let a stream or an upload die on its way.
//
// Vocabulary. A document is a file that was read, as a tree of nodes, each with
// its place. A setup is everything that was given, put together as one Traefik
// would see it: routers, middlewares and services (from labels and dynamic
// files), static configurations (from files, flags and variables), containers,
// and what the sidecar's own file says. An instance is one use of the plugin. A
// rule looks at a setup and returns findings; it is a pure function and has a
// name that each of its findings carries.
//
// The severity of a finding is an error where something will not work, or a
// promise of hal0 will be broken; a warning where it works, but not well.
//
// Concurrency: there is none. Reading is in read.go, compose.go and mount.go,
// all else is a function of values.
package check
