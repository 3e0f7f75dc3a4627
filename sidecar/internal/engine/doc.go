// Package engine knows inference engines: how each is started, when it is
// ready, what its log lines mean.
//
// Vocabulary. A Plan is what one launch has been given: the model, its file, an
// address, a key, a place. A Template turns a plan into a command line, and
// reads what comes back: the listening line, the classes of endings, the probe's
// answers. A Checker asks one launched engine whether it is ready, and makes
// sure that it is ours. A class is the short word that says why an engine ended.
//
// Nothing here starts an engine or keeps one. Templates are values, safe for
// concurrent use, and decide purely, but for one thing: the first command of
// llama.cpp asks the executable which flags it knows, and remembers it as long
// as the file does not change. A Checker is safe for concurrent use.
package engine
