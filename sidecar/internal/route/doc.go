// Package route keeps what routes have declared: which models each serves, and
// from that which slots this box has.
//
// An entry is one route as last declared. A slot is named once per box: routes
// that declare it alike share it, and where two differ the older declaration has
// it and the newer gets a conflict. A view is an immutable picture of all that;
// readers take the newest and never wait.
//
// Concurrency: one goroutine, the Registry's, owns the table, writes it to disk
// and tells the consumer of changes, in order. Everything else is a value.
package route
