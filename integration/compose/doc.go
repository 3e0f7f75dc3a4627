// Package compose checks compose files: what the compose specification accepts
// and still goes wrong, and what this project promises of its own files.
//
// A Rule looks at one loaded project and names what is wrong, in words that
// point at the place. Rules are pure.
package compose
