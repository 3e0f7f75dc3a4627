// Package bed is the test bed of the black-box tests: real programs, started
// and ended by the test that asks for them, and the means to watch them.
//
// A Process is a program with its log; it dies with the test, and with the
// test binary. A Sidecar is hal0 with a folder of its own that outlives a
// restart. A Traefik is a real one with the interpreted plugin; an Edge is one
// in front of a sidecar. A Tap is the record of what an engine was sent and
// answered, byte for byte. An SDK is one major version of an OpenAI client; a
// Client is a run of it that takes Jobs and gives Lines. A Stream is a raw HTTP
// answer with the time of each part.
//
// Values belong to the goroutine of the test that made them, unless a method
// says otherwise. Tools that integration/install did not provide skip the
// test; integration/run counts such a skip as a failure.
package bed
