//go:build !linux

package proc

func groupUsage(int) (Usage, error) { return Usage{}, errNoUsage }
