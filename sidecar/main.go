// Hal0 runs local models as slots and streams them as OpenAI streams them. It is
// the sidecar of the Traefik plugin of the same name, and complete without it:
// `hal0 up` serves everything on one port.
package main

import (
	"os"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

func main() {
	if code, isInit := proc.Init(); isInit { // process 1 of a container
		os.Exit(code)
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}
