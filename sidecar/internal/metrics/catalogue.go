package metrics

// Series is one metric of ours, for the reference.
type Series struct {
	Name   string
	Kind   string // histogram, counter, gauge
	Help   string
	Labels []string
}

// Catalogue lists every metric of ours; beside them are those of the Go runtime
// and of the process.
func Catalogue() []Series { return append(New().series, newGauges(Sources{}).series...) }
