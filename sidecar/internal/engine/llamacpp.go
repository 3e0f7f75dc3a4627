package engine

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"
)

// errNoLlamaServer is what using llama.cpp says on a box that has none.
var errNoLlamaServer = errors.New("llama-server is not installed: put it on the PATH, or name it by LLAMA_SERVER or llamaServer in hal0.yml")

// llamaCPP uses the llama-server of that path, or looks for one each time: it
// may be installed while we run.
func llamaCPP(named string) Template {
	asked := newCache()
	program := func() string { return FindLlamaServer(named, os.Getenv) }
	return Template{
		Name:       LlamaCPP,
		NeedsModel: true,
		Insist:     insistAfter,
		listening:  commonListening,
		rules:      llamaRules(),
		paths: map[string]string{
			"/v1/tokenize":   "/tokenize",
			"/v1/detokenize": "/detokenize",
			"/v1/infill":     "/infill",
			"/v1/rerankings": "/v1/reranking",
		},
		ready:    "/health",
		identity: "/props", // older versions serve /v1/models to anybody
		props:    true,
		warmsUp:  true,
		loading:  []int{http.StatusServiceUnavailable},
		program:  program,
		command: func(p Plan) (invocation, error) {
			path := program()
			if path == "" {
				return invocation{}, errNoLlamaServer
			}
			flags, err := asked.flags(path)
			if err != nil {
				return invocation{}, err
			}
			devices, err := asked.devices(path, p.Place)
			if err != nil {
				return invocation{}, err
			}
			// By environment: a command line is for every user of the box to read.
			return invocation{path: path, args: llamaArgs(p, flags, devices), env: []string{"LLAMA_API_KEY=" + p.Key}}, nil
		},
	}
}

// insistAfter: llama-server loses a TERM that comes just after it began to
// listen, and lingers after one that comes while it streams. A second one ends
// it at once; by then our own streams have ended.
const insistAfter = time.Second

// llamaArgs is the command line: what we plan, then what the model declares, so
// that it wins, then what nobody may change. Flags that this llama-server does
// not know are left out. Devices are named, so that one that is missing is an
// error and not a silent fall back to the CPU.
func llamaArgs(p Plan, known flagSet, devices string) []string {
	var a []string
	option := func(value string, names ...string) {
		for _, n := range names {
			if known[n] {
				a = append(a, n)
				if value != "" {
					a = append(a, value)
				}
				return
			}
		}
	}
	// llama.cpp divides one context among its slots.
	option(decimal(p.Context()*p.Parallel()), "--ctx-size")
	option(decimal(p.Parallel()), "--parallel")
	option("off", "--fit")             // what does not fit must fail, not shrink
	option("0", "--cache-ram")         // host memory that no plan knows of
	option("5", "--sse-ping-interval") // TERM is heard only between pings
	option("", "--metrics")
	option("", "--offline")
	option("", "--jinja")
	option("", "--no-ui", "--no-webui")
	option("off", "--log-colors")
	if devices != "" {
		option(devices, "--device")
	}
	if len(p.Place.IDs) > 0 {
		option("999", "--gpu-layers", "--n-gpu-layers")
	}
	if p.Threads > 0 {
		option(decimal(int64(p.Threads)), "--threads")
	}
	if p.Embeds() {
		option("", "--embeddings", "--embedding")
	}
	if p.Ranks() {
		option("", "--reranking", "--rerank")
	}
	a = append(a, p.Model.Args...)
	return append(a, "--model", p.Path, "--alias", p.Model.Slot, "--host", p.Host, "--port", decimal(int64(p.Port)))
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// llamaRules are what llama-server's log says before it ends, always with
// exit code 1.
func llamaRules() []rule {
	return []rule{
		match(ClassPort, `couldn't bind HTTP server socket`),
		match(ClassGPU, `invalid device: `),
		match(ClassBadArgument, `error: invalid argument`, `error while handling argument`, `error: unknown argument`),
		match(ClassCrash, `no backends are loaded`), // a broken installation, not a bad model
		match(ClassBadModel, `failed to open GGUF file`, `invalid magic characters`, `not within the file bounds`, `unknown (model )?architecture`,
			`error loading model: .*`, `failed to load (draft )?model`),
	}
}
