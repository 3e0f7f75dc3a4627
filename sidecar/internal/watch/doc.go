// Package watch tells when the content of a file has changed, however that is
// done: written in place, replaced by a rename, or by a link on the way to it
// that leads elsewhere (which is how Kubernetes brings a new ConfigMap).
//
// A File has two goroutines: one hears what the kernel says, the other looks at
// the file once nothing more is said. Where the kernel tells nothing of a change (a network file system,
// another machine's folder), neither does a File.
package watch
