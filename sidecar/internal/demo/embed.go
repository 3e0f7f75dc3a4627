package demo

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
)

// dimensions of the demo's embeddings.
const dimensions = 64

type embeddingRequest struct {
	Input    json.RawMessage `json:"input"`
	Encoding string          `json:"encoding_format"`
	Knobs    json.RawMessage `json:"hal0_demo"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// embeddings makes vectors by hashing words: texts that share words are near
// each other, and no more is meant by them.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	var req embeddingRequest
	if !decode(w, r, &req) {
		return
	}
	inputs, err := stringOrList(req.Input)
	if err != nil || len(inputs) == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "'input' must be a string or a list of strings")
		return
	}
	knobs, err := s.launch.Knobs.override(req.Knobs)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", err.Error())
		return
	}
	j := &job{s: s, w: w, r: r, out: http.NewResponseController(w), knobs: knobs}
	if j.faultAt(0) && !j.misbehave([]byte("{}")) {
		return
	}
	var data []embedding
	tokens := 0
	for i, in := range inputs {
		tokens += countTokens(in)
		data = append(data, embedding{"embedding", i, encodeVector(embed(in), req.Encoding)})
	}
	answer(w, struct {
		Object string      `json:"object"`
		Data   []embedding `json:"data"`
		Model  string      `json:"model"`
		Usage  any         `json:"usage"`
	}{"list", data, s.launch.Name, map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
}

// embed returns a vector of length 1.
func embed(text string) []float32 {
	v := make([]float32, dimensions)
	for _, word := range strings.Fields(strings.ToLower(text)) {
		h := fnv.New64a()
		h.Write([]byte(word))
		sum := h.Sum64()
		v[sum%dimensions] += 1 - 2*float32(sum>>63)
	}
	norm := 0.0
	for _, x := range v {
		norm += float64(x) * float64(x)
	}
	if norm == 0 {
		v[0], norm = 1, 1
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

// encodeVector is the vector as the client wants it; openai-python asks for
// base64 unless told otherwise.
func encodeVector(v []float32, encoding string) any {
	if encoding != "base64" {
		return v
	}
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
