// promql reads expressions, one a line, and prints for each, as a line of JSON,
// the series that it asks for, by Prometheus's own parser; or what is wrong.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/promql/parser"
)

// asked is what one expression asks for.
type asked struct {
	Series []string `json:"series"`
	Error  string   `json:"error,omitempty"`
}

func main() {
	p := parser.NewParser(parser.Options{})
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		var a asked
		e, err := p.ParseExpr(in.Text())
		if err != nil {
			a.Error = err.Error()
		} else {
			parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok {
					a.Series = append(a.Series, v.Name)
				}
				return nil
			})
		}
		if err := out.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, "promql:", err)
			os.Exit(1)
		}
	}
}
