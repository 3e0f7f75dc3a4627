package wire

import "testing"

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64 // -1 = an error
	}{
		{"0", 0}, {"17", 17}, {"17B", 17}, {"4KiB", 4096}, {" 4 KiB ", 4096}, {"64MiB", 64 << 20}, {"1GiB", 1 << 30}, {"2TiB", 2 << 40},
		{"", -1}, {"-1", -1}, {"1.5GiB", -1}, {"64MB", -1}, {"64mib", -1}, {"9999999999GiB", -1}, {"GiB", -1},
	} {
		got, err := ParseSize(c.in)
		if c.want < 0 {
			if err == nil {
				t.Errorf("ParseSize(%q) = %d, want an error", c.in, got)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", c.in, got, err, c.want)
		}
	}
}
