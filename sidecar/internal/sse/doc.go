// Package sse reads server-sent events as engines write them and gives them
// back as clients can read them.
//
// Vocabulary. An event is what the standard dispatches: some lines and the
// blank line that ends them. Its canonical form is "data: <one line>\n\n",
// with "event: <name>\n" before it where names are kept. Life is anything that
// shows that the sender is there but carries no event: comments, blank lines,
// fields that nobody uses. The tail is what is left where the input ends
// between the blank lines.
//
// Only whole events come out. An event that arrives in canonical form comes
// out as the same bytes, without a copy; every other form is rewritten: CR and
// CRLF, several data lines, a missing space, id and retry fields, comments
// inside.
//
// A Scanner belongs to one goroutine. The bytes of the events it returned are
// never written again, so they may be shared with any number of readers, unless
// Release says that nobody has them any more.
package sse
