//go:build !linux

package proc

// Init does nothing: only on linux can this program be process number 1.
func Init() (code int, isInit bool) { return 0, false }
