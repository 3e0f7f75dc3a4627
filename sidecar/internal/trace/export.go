package trace

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Wanted reads from OpenTelemetry's variables whether spans are to be exported.
func Wanted(getenv func(string) string) (bool, error) {
	either := func(name, otherwise string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return getenv(otherwise)
	}
	endpoint := either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	exporter := getenv("OTEL_TRACES_EXPORTER")
	switch {
	case getenv("OTEL_SDK_DISABLED") == "true", exporter == "none", endpoint == "":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("read OTEL_TRACES_EXPORTER: %q is not spoken here; otlp and none are", exporter)
	}
	switch p := either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p {
	case "", "http/protobuf":
		return true, nil
	default:
		return false, fmt.Errorf("read OTEL_EXPORTER_OTLP_PROTOCOL: %q is not spoken here; http/protobuf is (a collector's port 4318)", p)
	}
}

// newProvider makes what exports spans; where to, OTEL_* variables say.
func newProvider(ctx context.Context, c Config) (*sdk.TracerProvider, error) {
	out, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("make exporter of spans: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "hal0"), attribute.String("service.version", c.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(&teller{SpanExporter: out, log: c.Log})), nil
}

// teller logs that a collector takes no spans, and that it does again: the
// library's own way is a handler for the whole process.
type teller struct {
	sdk.SpanExporter
	log  hclog.Logger
	away atomic.Bool
}

// ExportSpans implements sdk.SpanExporter.
func (e *teller) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil && e.away.CompareAndSwap(true, false):
		e.log.Info("collector takes spans again")
	case err != nil && e.away.CompareAndSwap(false, true):
		e.log.Warn("collector takes no spans", "lost", len(spans), "error", err)
	}
	return nil
}
