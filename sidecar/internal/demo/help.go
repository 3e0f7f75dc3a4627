package demo

import (
	_ "embed"
	"strings"
	"unicode"
)

// helpText holds sections: a line "# title: keywords", then the text.
//
//go:embed help.txt
var helpText string

// section is one piece of help.
type section struct {
	keywords []string
	text     string
}

// sections reads helpText. The first section is the answer to everything that
// no other one knows.
func sections() []section {
	var all []section
	for _, block := range strings.Split("\n"+helpText, "\n# ")[1:] {
		head, text, _ := strings.Cut(block, "\n")
		_, keywords, _ := strings.Cut(head, ":")
		all = append(all, section{strings.Fields(keywords), strings.TrimSpace(text)})
	}
	return all
}

// lookUp finds the section that shares most words with the question.
func lookUp(question string) string {
	asked := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(question), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-'
	}) {
		asked[strings.Trim(w, ".-")] = true
	}
	all := sections()
	best, most := all[0], 0
	for _, s := range all[1:] {
		n := 0
		for _, k := range s.keywords {
			if asked[k] {
				n++
			}
		}
		if n > most {
			best, most = s, n
		}
	}
	return best.text
}
