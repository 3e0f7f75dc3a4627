//go:build !linux

package proc

func isTmpfs(string) bool { return false }
