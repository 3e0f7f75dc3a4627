package main

import (
	"context"
	"os"

	"github.com/hal0-dev/hal0/sidecar/internal/trace"
	"github.com/hashicorp/go-hclog"
)

// newTracer follows traces as OpenTelemetry's variables say.
func newTracer(log hclog.Logger) (*trace.Tracer, error) {
	export, err := trace.Wanted(os.Getenv)
	if err != nil {
		return nil, usageError{err}
	}
	return trace.New(context.Background(), trace.Config{Export: export, Version: version(), Log: log.Named("trace")})
}
