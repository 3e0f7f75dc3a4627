package demo

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// faultAt reports whether something goes wrong at a token, counted from 1; 0 is
// before the head.
func (j *job) faultAt(n int) bool {
	return j.knobs.Fault != FaultNone && j.knobs.Event == 0 && j.knobs.At == n
}

// misbehave does what the knobs say; next is the event that was due. It returns
// true if the answer goes on.
func (j *job) misbehave(next []byte) bool {
	switch j.knobs.Fault {
	case FaultNone:
		return true
	case FaultCrash:
		fmt.Fprintln(j.s.log, "demo engine: crashes, as it was told to")
		j.s.exit(1)
		j.cut()
	case FaultHang:
		<-j.r.Context().Done()
	case FaultPause:
		return sleep(j.r.Context(), time.Duration(j.knobs.PauseMS)*time.Millisecond) == nil
	case FaultReset:
		j.reset()
	case FaultCut:
		j.cut()
	case FaultTorn:
		j.torn(next)
		j.cut()
	case FaultTornEnd:
		j.torn(next)
	case FaultEOF:
		j.begin()
	case FaultError:
		j.errorEvent()
	case FaultHuge:
		j.begin()
		return j.send(event(j.voice.token(strings.Repeat("x", j.knobs.Bytes))))
	case FaultStatus:
		refuse(j.w, j.knobs.Status, "server_error", "The demo engine fails, as it was told to")
	case FaultLoading:
		refuseLoading(j.w)
	}
	return false
}

// cut closes the connection without the body's ending.
func (j *job) cut() { panic(http.ErrAbortHandler) }

// torn sends the first half of an event.
func (j *job) torn(next []byte) {
	j.begin()
	j.send(next[:len(next)/2])
}

// reset closes the connection with a TCP reset.
func (j *job) reset() {
	conn, _, err := j.out.Hijack()
	if err != nil {
		j.cut()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// errorEvent ends the stream, or the answer, as some engine does when it fails.
func (j *job) errorEvent() {
	if !j.request.Stream {
		refuse(j.w, http.StatusInternalServerError, "server_error", "The demo engine fails, as it was told to")
		return
	}
	j.begin()
	j.send(shapes()[j.knobs.Shape](j))
}

// Shapes returns the names of the ways in which FaultError ends a stream.
func Shapes() []string { return slices.Sorted(maps.Keys(shapes())) }

const said = "The demo engine fails, as it was told to"

// shapes are the ways in which engines end a stream that failed, as they were
// seen or as their source has it.
func shapes() map[string]func(*job) []byte {
	line := func(format string) func(*job) []byte {
		return func(*job) []byte { return fmt.Appendf(nil, format, said) }
	}
	const done = "data: [DONE]\n\n"
	return map[string]func(*job) []byte{
		"openai":           line(`data: {"error":{"message":"%s","type":"server_error","param":null,"code":null}}` + "\n\n"),
		"llama.cpp":        line(`data: {"error":{"code":500,"message":"%s","type":"server_error"}}` + "\n\n"),
		"llama.cpp-old":    line(`error: {"code":500,"message":"%s","type":"server_error"}` + "\n\n"),
		"llama.cpp-router": func(*job) []byte { return []byte("proxy error: Failed to read connection") },
		"vllm":             line(`data: {"error":{"message":"%s","type":"InternalServerError","param":null,"code":500}}` + "\n\n" + done),
		"vllm-old":         line(`data: {"object":"error","message":"%s","type":"BadRequestError","param":null,"code":400}` + "\n\n" + done),
		"sglang":           line(`data: {"error":{"object":"error","message":"%s","type":"InternalServerError","param":null,"code":500}}` + "\n\n"),
		"tgi":              line(`data: {"error":{"message":"%s","http_status_code":422}}` + "\n\n" + done),
		"string":           line(`data: {"error":"%s"}` + "\n\n"),
		"event":            line("event: error\n" + `data: {"error":{"message":"%s","type":"server_error","param":null,"code":null}}` + "\n\n"),
		"responses":        line("event: error\n" + `data: {"type":"error","sequence_number":1,"code":"server_error","message":"%s","param":null}` + "\n\n"),
		"messages":         line("event: error\n" + `data: {"type":"error","error":{"type":"api_error","message":"%s"}}` + "\n\n"),
		"spaced":           line(`data: { "error": {"message": "%s"} }` + "\n\n"),
		"finish-error": func(j *job) []byte { // OpenRouter's: an error beside a finish_reason
			b := marshal(j.voice.finish("error"))
			return fmt.Appendf(nil, `data: {"error":{"code":502,"message":"%s"},%s`+"\n\n", said, bytes.TrimPrefix(b, []byte("{")))
		},
		"ollama": func(j *job) []byte { // an empty chunk without a model, and the end
			v := j.voice
			v.model = ""
			return event(v.token(""))
		},
	}
}
