//go:build go1.21

package wire

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseSize reads a size: an integer with the unit B, KiB, MiB, GiB or TiB, or
// none for bytes. The result is in bytes.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimSpace(s)
	unit := int64(1)
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}} {
		if strings.HasSuffix(digits, u.name) {
			// Two statements: Yaegi loses the second value of one that has a call in it.
			unit = u.bytes
			digits = strings.TrimSpace(strings.TrimSuffix(digits, u.name))
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a size: write an integer and KiB, MiB or GiB, such as 64MiB", s)
	}
	return n * unit, nil
}
