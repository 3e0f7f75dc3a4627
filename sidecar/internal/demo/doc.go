// Package demo is an engine without a model: a small HTTP server that speaks
// OpenAI's protocol and answers from a script. It counts when asked to count,
// answers questions about hal0 from the project's own help, and says of itself
// that it is no model. `hal0 demo-engine` runs it as a process of its own, so
// that everything around it (launch, readiness, streams, endings) is real.
//
// It is also the engine that tests use, since it misbehaves on demand. Launch
// says how a whole launch behaves (flags), Knobs how one request does: flags
// give the defaults, the request's field "hal0_demo" overrides them.
//
// Vocabulary. A script makes an answer: tokens, and why it ends. A job is one
// request being answered. A fault is what goes wrong instead of the token number
// At (the first is 1; 0 is before the response's head), or of the event number Event.
//
// A Server is safe for concurrent use; each job runs in its request's goroutine.
package demo
