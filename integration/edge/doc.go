// Package edge holds the tests that need Yaegi but no binary: the plugin's cases
// in the interpreter, and what its hot path costs there.
package edge
