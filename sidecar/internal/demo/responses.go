package demo

// response is OpenAI's answer at /v1/responses.
type response struct {
	ID         string           `json:"id"`
	Object     string           `json:"object"`
	Created    int64            `json:"created_at"`
	Status     string           `json:"status"`
	Error      *struct{}        `json:"error"`
	Incomplete *incomplete      `json:"incomplete_details"`
	Model      string           `json:"model"`
	Output     []responseOutput `json:"output"`
	Usage      *responseUsage   `json:"usage"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseOutput struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	Status  string         `json:"status"`
	Role    string         `json:"role"`
	Content []responsePart `json:"content"`
}

type responsePart struct {
	Type        string     `json:"type"`
	Text        string     `json:"text"`
	Annotations []struct{} `json:"annotations"`
}

type responseUsage struct {
	Input  int `json:"input_tokens"`
	Output int `json:"output_tokens"`
	Total  int `json:"total_tokens"`
}

// responseEvent is any event of the stream.
type responseEvent struct {
	Type     string          `json:"type"`
	Number   int             `json:"sequence_number"`
	Response *response       `json:"response,omitempty"`
	ItemID   string          `json:"item_id,omitempty"`
	Output   *int            `json:"output_index,omitempty"`
	Content  *int            `json:"content_index,omitempty"`
	Item     *responseOutput `json:"item,omitempty"`
	Part     *responsePart   `json:"part,omitempty"`
	Delta    string          `json:"delta,omitempty"`
	Text     string          `json:"text,omitempty"`
}

// responsesSpeaker speaks as /v1/responses does.
type responsesSpeaker struct {
	*job
	id, item string
}

func newResponsesSpeaker(j *job) responsesSpeaker {
	return responsesSpeaker{j, newID("resp_"), newID("msg_")}
}

// before is how many events opening makes.
const before = 4

func (s responsesSpeaker) opening() [][]byte {
	item := s.output("in_progress")
	item.Content = []responsePart{}
	part := newPart("")
	return s.numbered(0,
		responseEvent{Type: "response.created", Response: s.response("in_progress")},
		responseEvent{Type: "response.in_progress", Response: s.response("in_progress")},
		responseEvent{Type: "response.output_item.added", Output: new(int), Item: &item},
		responseEvent{Type: "response.content_part.added", ItemID: s.item, Output: new(int), Content: new(int), Part: &part},
	)
}

func (s responsesSpeaker) token(i int) []byte {
	return s.numbered(before+i, responseEvent{
		Type: "response.output_text.delta", ItemID: s.item, Output: new(int), Content: new(int), Delta: s.answer.tokens[i],
	})[0]
}

func (s responsesSpeaker) closing() [][]byte {
	item, part := s.output("completed"), newPart(s.answer.text())
	last := s.whole().(*response)
	return s.numbered(before+len(s.answer.tokens),
		responseEvent{Type: "response.output_text.done", ItemID: s.item, Output: new(int), Content: new(int), Text: s.answer.text()},
		responseEvent{Type: "response.content_part.done", ItemID: s.item, Output: new(int), Content: new(int), Part: &part},
		responseEvent{Type: "response.output_item.done", Output: new(int), Item: &item},
		responseEvent{Type: "response." + last.Status, Response: last},
	)
}

func (s responsesSpeaker) whole() any {
	status := "completed"
	if s.answer.finish == "length" {
		status = "incomplete"
	}
	r := s.response(status)
	if status == "incomplete" {
		r.Incomplete = &incomplete{"max_output_tokens"}
	}
	r.Output = []responseOutput{s.output("completed")}
	n := len(s.answer.tokens)
	r.Usage = &responseUsage{s.prompt, n, s.prompt + n}
	return r
}

func (s responsesSpeaker) response(status string) *response {
	return &response{
		ID: s.id, Object: "response", Created: s.voice.created, Status: status,
		Model: s.voice.model, Output: []responseOutput{},
	}
}

func (s responsesSpeaker) output(status string) responseOutput {
	return responseOutput{"message", s.item, status, "assistant", []responsePart{newPart(s.answer.text())}}
}

func newPart(text string) responsePart { return responsePart{"output_text", text, []struct{}{}} }

// numbered makes events of which the first has the number from.
func (responsesSpeaker) numbered(from int, events ...responseEvent) [][]byte {
	var out [][]byte
	for i, e := range events {
		e.Number = from + i
		out = append(out, named(e.Type, e))
	}
	return out
}
