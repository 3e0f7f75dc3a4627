package trace

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
)

const (
	// scope names who makes the spans.
	scope = "github.com/hal0-dev/hal0/sidecar"
	// flushWithin bounds what a shutdown spends on the last spans.
	flushWithin = 3 * time.Second
)

// Config of a Tracer.
type Config struct {
	Export  bool // spans go to the collector that OTEL_* variables name
	Version string
	Log     hclog.Logger
}

// Tracer implements api.Tracer.
type Tracer struct {
	tracer   trace.Tracer
	w3c      propagation.TraceContext
	provider *sdk.TracerProvider // nil = nothing is exported
}

// New makes a Tracer. It reaches for no collector yet.
func New(ctx context.Context, c Config) (*Tracer, error) {
	if !c.Export {
		return &Tracer{tracer: noop.NewTracerProvider().Tracer(scope)}, nil
	}
	p, err := newProvider(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Tracer{tracer: p.Tracer(scope, trace.WithInstrumentationVersion(c.Version)), provider: p}, nil
}

// Begin implements api.Tracer.
func (t *Tracer) Begin(h http.Header, endpoint string, came time.Time) (string, func(api.Answered)) {
	if t.provider == nil && h["Traceparent"] == nil {
		delete(h, "Tracestate")
		return "", func(api.Answered) {}
	}
	carrier := propagation.HeaderCarrier(h)
	// A background context: the spans outlive the request's.
	ctx := t.w3c.Extract(context.Background(), carrier)
	ctx, span := t.tracer.Start(ctx, http.MethodPost+" "+endpoint, trace.WithTimestamp(came), trace.WithSpanKind(trace.SpanKindServer))
	for _, name := range t.w3c.Fields() {
		h.Del(name)
	}
	t.w3c.Inject(ctx, carrier)
	id := ""
	if s := span.SpanContext(); s.IsValid() {
		id = s.TraceID().String()
	}
	return id, func(a api.Answered) { t.end(ctx, span, a, came) }
}

// end ends a request's span, after those of its phases.
func (t *Tracer) end(ctx context.Context, span trace.Span, a api.Answered, came time.Time) {
	if !span.IsRecording() {
		return
	}
	now := time.Now()
	for _, p := range phases(a, came, now) {
		_, part := t.tracer.Start(ctx, p.name, trace.WithTimestamp(p.from))
		part.End(trace.WithTimestamp(p.to))
	}
	span.SetAttributes(
		attribute.String("http.request.method", http.MethodPost), attribute.String("url.path", a.Endpoint),
		attribute.Int("http.response.status_code", a.Status), attribute.String("client.address", a.Client),
		attribute.String("hal0.request_id", a.ID), attribute.String("hal0.route", a.Route), attribute.String("hal0.slot", a.Slot),
		attribute.String("hal0.flight", a.Flight), attribute.Bool("hal0.cold", a.Cold), attribute.String("hal0.outcome", a.Outcome),
		attribute.Int("hal0.events", a.Events),
	)
	if a.Code != "" {
		span.SetAttributes(attribute.String("error.type", a.Code))
		span.SetStatus(codes.Error, a.Code)
	}
	span.End(trace.WithTimestamp(now))
}

// Close sends the spans that are left, within a bound.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
