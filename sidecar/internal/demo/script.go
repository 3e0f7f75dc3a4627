package demo

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// maxCount bounds what is counted.
const maxCount = 10000

// answered is what a script says.
type answered struct {
	tokens []string
	finish string // stop or length
}

// text is the answer in one piece.
func (a answered) text() string { return strings.Join(a.tokens, "") }

// respond makes the answer to a prompt.
func respond(prompt string, limit int, stops []string) answered {
	return answered{tokens: script(prompt), finish: "stop"}.stopAt(stops).limitTo(limit)
}

// script decides what to say.
func script(prompt string) []string {
	if from, to, ok := countAsked(prompt); ok {
		return count(from, to)
	}
	return tokenize(lookUp(prompt))
}

func (a answered) limitTo(n int) answered {
	if n > 0 && len(a.tokens) > n {
		return answered{a.tokens[:n], "length"}
	}
	return a
}

// stopAt ends the answer before the first of the stop texts.
func (a answered) stopAt(stops []string) answered {
	text := a.text()
	end := len(text)
	for _, s := range stops {
		if i := strings.Index(text, s); s != "" && i >= 0 {
			end = min(end, i)
		}
	}
	if end == len(text) {
		return a
	}
	var kept []string
	for _, t := range a.tokens {
		if end < len(t) {
			t = t[:end]
		}
		if t == "" {
			break
		}
		kept = append(kept, t)
		end -= len(t)
	}
	return answered{kept, "stop"}
}

var (
	countFromTo = regexp.MustCompile(`(?i)\bcount(?:ing)?\b.*?\bfrom\s+([\w-]+)\s+(?:up\s+|down\s+)?to\s+([\w-]+)`)
	countTo     = regexp.MustCompile(`(?i)\bcount(?:ing)?\b.*?\bto\s+([\w-]+)`)
)

// countAsked finds "count to five" and "count from 3 to 10".
func countAsked(prompt string) (from, to int, ok bool) {
	if m := countFromTo.FindStringSubmatch(prompt); m != nil {
		from, okFrom := parseNumber(m[1])
		to, okTo := parseNumber(m[2])
		return from, to, okFrom && okTo
	}
	if m := countTo.FindStringSubmatch(prompt); m != nil {
		to, ok := parseNumber(m[1])
		return 1, to, ok
	}
	return 0, 0, false
}

func parseNumber(s string) (int, bool) {
	s = strings.ToLower(s)
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n <= maxCount
	}
	for n := range 101 { // "ninety-nine" is far enough in words
		if numberWord(n) == s {
			return n, true
		}
	}
	return 0, false
}

// count makes one token per number, each with a space before it, as the
// tokenizers of most models do.
func count(from, to int) []string {
	var tokens []string
	for n := from; ; {
		tokens = append(tokens, " "+numberWord(n))
		switch {
		case n < to:
			n++
		case n > to:
			n--
		default:
			return tokens
		}
	}
}

// numberWord names a number from 0 to maxCount.
func numberWord(n int) string {
	small := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
	tens := strings.Fields("- - twenty thirty forty fifty sixty seventy eighty ninety")
	rest := func(word string, remainder int, joint string) string {
		if remainder == 0 {
			return word
		}
		return word + joint + numberWord(remainder)
	}
	switch {
	case n < 20:
		return small[n]
	case n < 100:
		return rest(tens[n/10], n%10, "-")
	case n < 1000:
		return rest(small[n/100]+"-hundred", n%100, "-")
	}
	return rest(numberWord(n/1000)+"-thousand", n%1000, "-")
}

// tokenize splits text so that each word takes the space before it along.
func tokenize(text string) []string {
	var tokens []string
	start, word := 0, false
	for i, r := range text {
		if unicode.IsSpace(r) && word {
			tokens = append(tokens, text[start:i])
			start, word = i, false
		} else if !unicode.IsSpace(r) {
			word = true
		}
	}
	if start < len(text) {
		tokens = append(tokens, text[start:])
	}
	return tokens
}
