//go:build go1.21

package wire

import "strings"

// Families of endpoints: they decide how a stream ends and how an error looks.
const (
	FamilyChat        = "chat"        // ends with data: [DONE]
	FamilyCompletions = "completions" // ends with data: [DONE]
	FamilyResponses   = "responses"   // named events with sequence numbers
	FamilyMessages    = "messages"    // Anthropic's named events
	FamilyPlain       = "plain"       // one body; if it streams, OpenAI's error event
	FamilyModels      = "models"      // answered by the sidecar itself
)

// Capabilities that a model can declare and an endpoint can need.
const (
	CapChat          = "chat"
	CapCompletion    = "completion"
	CapEmbedding     = "embedding"
	CapRerank        = "rerank"
	CapTranscription = "transcription"
	CapSpeech        = "speech"
	CapImage         = "image"
	CapModeration    = "moderation"
)

// Capabilities returns every capability that may be declared.
func Capabilities() []string {
	return []string{CapChat, CapCompletion, CapEmbedding, CapRerank, CapTranscription, CapSpeech, CapImage, CapModeration}
}

// Endpoint is one row of the table of what is served under /v1.
type Endpoint struct {
	Method     string
	Path       string // for FamilyModels with an id: "/v1/models/{id}"
	Family     string
	Capability string // what the model must have declared; "" = nothing
	Multipart  bool   // the body is a form, its model a form field
}

// Endpoints returns the table. It is a function so that interpreted and
// compiled code share no mutable state.
func Endpoints() []Endpoint {
	return []Endpoint{
		{"POST", "/v1/chat/completions", FamilyChat, CapChat, false},
		{"POST", "/v1/completions", FamilyCompletions, CapCompletion, false},
		{"POST", "/v1/responses", FamilyResponses, CapChat, false},
		{"POST", "/v1/messages", FamilyMessages, CapChat, false},
		{"POST", "/v1/messages/count_tokens", FamilyMessages, CapChat, false},
		{"POST", "/v1/embeddings", FamilyPlain, CapEmbedding, false},
		{"POST", "/v1/rerank", FamilyPlain, CapRerank, false},
		{"POST", "/v1/rerankings", FamilyPlain, CapRerank, false},
		{"POST", "/v1/moderations", FamilyPlain, CapModeration, false},
		{"POST", "/v1/audio/speech", FamilyPlain, CapSpeech, false},
		{"POST", "/v1/audio/transcriptions", FamilyPlain, CapTranscription, true},
		{"POST", "/v1/audio/translations", FamilyPlain, CapTranscription, true},
		{"POST", "/v1/images/generations", FamilyPlain, CapImage, false},
		{"POST", "/v1/images/edits", FamilyPlain, CapImage, true},
		{"POST", "/v1/infill", FamilyPlain, CapCompletion, false},
		{"POST", "/v1/tokenize", FamilyPlain, "", false},
		{"POST", "/v1/detokenize", FamilyPlain, "", false},
		{"GET", "/v1/models", FamilyModels, "", false},
		{"GET", "/v1/models/{id}", FamilyModels, "", false},
	}
}

const modelPrefix = "/v1/models/"

// Match finds the endpoint of a request by its method and its *escaped* path.
// The second result is "" for a hit, PathOutside for a path that is none of
// ours, or the code of the refusal.
func Match(method, path string) (Endpoint, string) {
	if path != "/v1" && !strings.HasPrefix(path, "/v1/") {
		return Endpoint{}, PathOutside
	}
	if strings.HasPrefix(path, modelPrefix) && len(path) > len(modelPrefix) && !dotSegment(path) {
		path = "/v1/models/{id}"
	} else if hostile(path) {
		return Endpoint{}, CodePath
	}
	if method == "HEAD" {
		method = "GET"
	}
	known := false
	for _, e := range Endpoints() {
		if e.Path != path {
			continue
		}
		if e.Method == method {
			return e, ""
		}
		known = true
	}
	if known {
		return Endpoint{}, CodeMethod
	}
	return Endpoint{}, CodeRouteUnknown
}

// PathOutside is what Match says of a path that is not under /v1.
const PathOutside = "outside"

// hostile reports whether an escaped path holds something that a later hop
// could read as another path.
func hostile(path string) bool {
	low := strings.ToLower(path)
	return strings.Contains(low, "%2f") || strings.Contains(low, "%5c") || strings.Contains(path, "\\") || dotSegment(path)
}

func dotSegment(path string) bool {
	low := strings.ReplaceAll(strings.ToLower(path), "%2e", ".")
	low = strings.ReplaceAll(strings.ReplaceAll(low, "%2f", "/"), "%5c", "/")
	for _, seg := range strings.Split(low, "/") {
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}
