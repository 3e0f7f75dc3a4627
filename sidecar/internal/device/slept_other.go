//go:build !linux

package device

import "time"

// Slept is how long this machine was suspended since it started; only Linux
// tells.
func Slept() time.Duration { return 0 }
