package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// flagSet holds the long flags that an executable knows, with their dashes.
type flagSet map[string]bool

var longFlag = regexp.MustCompile(`(?:^|[ ,])(--[a-z][a-z0-9-]*)`)

// parseHelp finds the flags in llama-server's help: lines that begin with a
// dash, up to the description. A flag that a description merely mentions does
// not count.
func parseHelp(help string) flagSet {
	flags := flagSet{}
	for line := range strings.Lines(help) {
		if !strings.HasPrefix(line, "-") {
			continue
		}
		line, _, _ = strings.Cut(collapseComma(line), "  ")
		for _, m := range longFlag.FindAllStringSubmatch(line, -1) {
			flags[m[1]] = true
		}
	}
	return flags
}

var commaSpaces = regexp.MustCompile(`, +`)

// collapseComma joins "-c,    --ctx-size N", so that two spaces always begin the
// description.
func collapseComma(line string) string { return commaSpaces.ReplaceAllString(line, ", ") }

var listedDevice = regexp.MustCompile(`(?m)^\s+([A-Za-z]+)(\d+): `)

// pickDevices chooses n devices from llama-server's list, of one backend: a GPU
// that several backends can drive is listed once for each.
func pickDevices(list string, n int) (string, error) {
	found := map[string][]string{}
	for _, m := range listedDevice.FindAllStringSubmatch(list, -1) {
		found[m[1]] = append(found[m[1]], m[1]+m[2])
	}
	for _, backend := range []string{"CUDA", "ROCm", "HIP", "MTL", "Metal", "SYCL", "Vulkan"} {
		if names := found[backend]; len(names) >= n {
			return strings.Join(names[:n], ","), nil
		}
	}
	return "", fmt.Errorf("%w: it was given %d, and lists %q", ErrNoDevice, n, listed(list))
}

func listed(list string) []string {
	names := []string{}
	for _, m := range listedDevice.FindAllStringSubmatch(list, -1) {
		names = append(names, m[1]+m[2])
	}
	slices.Sort(names)
	return names
}
