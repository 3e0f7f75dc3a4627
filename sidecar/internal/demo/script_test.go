package demo

import (
	"strings"
	"testing"
)

func TestScript(t *testing.T) {
	for prompt, want := range map[string]string{
		"Count to five.":                   " one two three four five",
		"please count from eight to 10":    " eight nine ten",
		"Count from 3 down to 1":           " three two one",
		"Can you count up to twenty-two? ": "",
		"count to 0":                       " one zero",
		"count to 1":                       " one",
	} {
		got := strings.Join(script(prompt), "")
		if want == "" {
			if !strings.HasSuffix(got, " twenty-one twenty-two") {
				t.Errorf("%q: %q", prompt, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: %q, want %q", prompt, got, want)
		}
	}
}

func TestNumberWords(t *testing.T) {
	for n, want := range map[int]string{0: "zero", 19: "nineteen", 20: "twenty", 99: "ninety-nine", 100: "one-hundred", 342: "three-hundred-forty-two", 10000: "ten-thousand"} {
		if got := numberWord(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// Whatever is asked, the answer is from the help, and the demo never poses as a
// model.
func TestHelp(t *testing.T) {
	for question, want := range map[string]string{
		"What are you?":                       "not a language model",
		"zzz":                                 "not a language model",
		"":                                    "not a language model",
		"Hello":                               "not a language model",
		"How do I add a real model?":          "hal0 up --model",
		"what is a slot":                      "at most one engine process",
		"Why was the cold start slow?":        "held while the model loads",
		"how do errors look":                  `"hal0_demo"`,
		"how do I connect from python":        "base_url",
		"my GPU memory is full":               "ledger",
		"does it work with traefik in docker": "middleware",
		"where is the dashboard":              "8091",
	} {
		if got := strings.Join(script(question), ""); !strings.Contains(got, want) {
			t.Errorf("%q: %q", question, got)
		}
	}
	for _, s := range sections() {
		if s.text == "" || strings.Join(tokenize(s.text), "") != s.text {
			t.Errorf("section %v is empty or not whole in tokens", s.keywords)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add("count from five to 9")
	f.Add("count to -1")
	f.Fuzz(func(t *testing.T, s string) {
		if a := respond(s, 3, []string{"e"}); len(a.tokens) > 3 {
			t.Errorf("%q: %d tokens", s, len(a.tokens))
		}
	})
}
