package library

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for in, want := range map[string]Name{
		"hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0": {"ggml-org/Qwen3-0.6B-GGUF", "Q8_0"},
		"hf:o/r":                           {"o/r", ""},
		"hf:o/r:sub/m-Q4.gguf":             {"o/r", "sub/m-Q4.gguf"},
	} {
		got, err := ParseName(in)
		if err != nil || got != want || got.String() != in {
			t.Errorf("%s: %+v %v", in, got, err)
		}
	}
	for _, in := range []string{"", "o/r", "hf:", "hf:o", "hf:o/r/x", "hf:../r", "hf:o/..", "hf:o/r:", "hf:o/r:../x", "hf:o/r:/x", "hf:o/r:a b", "hf:/r", "hf:.o/r"} {
		if n, err := ParseName(in); err == nil {
			t.Errorf("%q: %+v", in, n)
		}
	}
}

func TestChoose(t *testing.T) {
	repo := []string{
		"README.md", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-Q8_0.gguf", "mmproj-m-Q8_0.gguf", "m-imatrix.gguf",
		"BF16/m-BF16-00002-of-00002.gguf", "BF16/m-BF16-00001-of-00002.gguf",
		"UD/m-UD-Q4_K_M.gguf", "broken-Q2_K-00001-of-00003.gguf",
	}
	for _, c := range []struct {
		quant string
		files []string
		want  string // comma-separated, or the error's text
	}{
		{"Q8_0", repo, "m-Q8_0.gguf"},
		{"q8_0", repo, "m-Q8_0.gguf"},
		{"Q4_K", repo, "there are"},
		{"Q4_K_S", repo, "m-Q4_K_S.gguf"},
		{"Q4_K_M", repo, "it could be m-Q4_K_M, m-UD-Q4_K_M"},
		{"m-Q4_K_M", repo, "m-Q4_K_M.gguf"},
		{"m-Q4_K_M.gguf", repo, "m-Q4_K_M.gguf"},
		{"UD-Q4_K_M", repo, "UD/m-UD-Q4_K_M.gguf"},
		{"BF16", repo, "BF16/m-BF16-00001-of-00002.gguf,BF16/m-BF16-00002-of-00002.gguf"},
		{"Q2_K", repo, "has 1 of its 00003 parts"},
		{"", []string{"x-Q4_K_M.gguf", "x-Q8_0.gguf"}, "x-Q4_K_M.gguf"},
		{"", []string{"x-Q6_K.gguf", "x-Q8_0.gguf"}, "x-Q8_0.gguf"},
		{"", []string{"only.gguf", "mmproj-only.gguf"}, "only.gguf"},
		{"", []string{"a.gguf", "b.gguf"}, "it could be a, b"},
		{"", []string{"model.safetensors"}, "no GGUF model"},
	} {
		var files []File
		for _, f := range c.files {
			files = append(files, File{Path: f})
		}
		got, err := choose(Name{"o/r", c.quant}, files)
		if err != nil {
			if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v", c.quant, err)
			}
			continue
		}
		var paths []string
		for _, f := range got {
			paths = append(paths, f.Path)
		}
		if strings.Join(paths, ",") != c.want {
			t.Errorf("%q: %q, want %q", c.quant, paths, c.want)
		}
	}
}

func TestNextPage(t *testing.T) {
	const asked = "https://hub/api/x"
	for in, want := range map[string]string{
		"": "",
		`<https://hub/api/x?cursor=1>; rel="next"`:                   "https://hub/api/x?cursor=1",
		`<https://hub/1>; rel="prev", </api/x?cursor=2>; rel="next"`: "https://hub/api/x?cursor=2",
		`<https://elsewhere/steal>; rel="next"`:                      "",
	} {
		if got := nextPage(in, asked); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("Q4", "a-Q4.gguf\nb-00001-of-00002.gguf")
	f.Fuzz(func(t *testing.T, quant, list string) {
		var files []File
		for p := range strings.SplitSeq(list, "\n") {
			files = append(files, File{Path: p})
		}
		got, err := choose(Name{"o/r", quant}, files)
		if (err == nil) != (len(got) > 0) {
			t.Errorf("%v %v", got, err)
		}
		for _, g := range got {
			if !slices.Contains(files, g) {
				t.Errorf("%v is not of the repository", g)
			}
		}
	})
}
