// Package gguf reads what a model file says of itself, and estimates the memory
// that llama.cpp takes to run it.
//
// A Model is what was read; Need is a pure function of it. The estimate is that
// of llama.cpp's own planning (llama-fit-params): weights, the cache for all
// requests together, and the buffers for computing one batch. What a process or
// a driver takes beside the model is not in it.
package gguf
