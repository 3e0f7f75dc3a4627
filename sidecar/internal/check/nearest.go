package check

import "strings"

// nearest returns the known name that a misspelt one is closest to, "" = none is
// close.
func nearest(name string, known []string) string {
	low := strings.ToLower(name)
	best, distance := "", len(low)/3+2
	for _, k := range known {
		if d := edits(low, strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
