// Package hostile sends a real Traefik with the plugin, and a real sidecar,
// what somebody would send who means harm: requests that are bytes on a
// connection, and configurations that are labels. Both are data (testdata).
//
// An Attack is one request with the answers that it must get. A scene is what
// all attacks are made on, with what must stay untouched: slots that would be
// started by the first request that reached them, the list of routes, a private
// server that stands behind the same Traefik, and two secrets.
package hostile
