// Package tinygguf writes small, valid GGUF models that real engines load, with
// no download and no training, so that a test can assert an engine's text byte
// for byte.
//
// Vocabulary. A Spec says what model to write: its Mode (what text it makes) and
// its shape (how much work and memory it costs). A tensor without a fill is all
// zeros; with Spec.Sparse it is a hole in the file, which is how a model of
// gigabytes for the engine takes a few megabytes on disk.
//
// How Count and Loop know their text: attn_output and ffn_down of every block
// are zero, so the residual stream stays the one-hot embedding of the last
// token, and output.weight is a table of the next token. The engine still does
// all the matrix work. The gap between the best and the second best logit is so
// large that sampling settings do not change the text.
//
// The same Spec always gives the same bytes. Nothing here is concurrent.
package tinygguf
