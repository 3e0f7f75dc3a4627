package tinygguf

import "strings"

// Words is what a Count model says, each word with a space before it.
const Words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"

// chatTemplate wraps each message as <|role|>content<|end|>.
const chatTemplate = `{%- for m in messages -%}{{ '<|' + m['role'] + '|>' + (m['content'] if m['content'] is string else '') + '<|end|>' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}`

// Indices of the control tokens that the header names.
const (
	tokenBOS = 0
	tokenEnd = 1
	tokenPad = 6
)

// Token types of tokenizer.ggml.token_type.
const (
	typeNormal  = 1
	typeControl = 3
)

// vocab is a byte-level BPE vocabulary: control tokens, the 256 bytes, and what
// the merges of Words make.
type vocab struct {
	tokens []string
	types  []int32
	merges []string
	chain  []int // the tokens of Words, in order
	index  map[string]int
}

func newVocab() *vocab {
	v := &vocab{index: map[string]int{}}
	for _, t := range []string{"<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|pad|>"} {
		v.add(t, typeControl)
	}
	runes := byteRunes()
	for _, t := range runes {
		v.add(t, typeNormal)
	}
	merged := map[string]bool{}
	for _, word := range strings.Fields(Words) {
		token := runes[' ']
		for _, c := range []byte(word) {
			if m := token + " " + runes[c]; !merged[m] {
				merged[m] = true
				v.merges = append(v.merges, m)
			}
			token += runes[c]
			v.add(token, typeNormal)
		}
		v.chain = append(v.chain, v.index[token])
	}
	return v
}

func (v *vocab) add(token string, kind int32) {
	if _, ok := v.index[token]; ok {
		return
	}
	v.index[token] = len(v.tokens)
	v.tokens = append(v.tokens, token)
	v.types = append(v.types, kind)
}

// next is the table of the token that follows each token: any token begins the
// words, and the last word leads to the end or, in Loop, back to the first.
func (v *vocab) next(mode Mode) []int {
	next := make([]int, len(v.tokens))
	for i := range next {
		next[i] = v.chain[0]
	}
	for i, t := range v.chain {
		if i+1 < len(v.chain) {
			next[t] = v.chain[i+1]
		} else if mode == Count {
			next[t] = tokenEnd
		}
	}
	return next
}

// byteRunes is GPT-2's reversible map from a byte to a printable rune.
func byteRunes() [256]string {
	var m [256]string
	unprintable := 0
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			m[b] = string(rune(b))
			continue
		}
		m[b] = string(rune(256 + unprintable))
		unprintable++
	}
	return m
}
