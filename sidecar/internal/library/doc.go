// Package library keeps model files that come from a hub: it knows which files
// a name such as hf:org/repo:Q8_0 means, fetches them, and finds them again
// without a network.
//
// Vocabulary. A Name is what a declaration says. A Manifest lists the files that
// a name stands for, with sizes and checksums; it is written when they are known
// and read ever after. A file that is not whole yet carries the suffix .part and
// is continued where it ended.
//
// Layout, below the models directory: hf/<org>/<repo>/<file>, and beside it
// .hal0/<quant>.json, the manifests.
//
// Contract. Fetch may be called by any number of callers, in any number of
// processes: each file is loaded once, and every caller hears how it went. A
// fetch ends when the last of its callers has left; what has arrived stays. A
// Library is safe for concurrent use; Close ends its fetches and waits for them.
package library
