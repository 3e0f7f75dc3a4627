// Package docker has a real Docker engine and Compose for tests: Debian's
// engine, as integration/install unpacked it, in network, mount and process
// namespaces of its own. No image is fetched: stand-ins are made of the programs
// that the cache has, under the names that the repository's files ask for.
package docker
