//go:build go1.21

package wire

// Codes of failures, as clients see them. OpenAI's own where it has one, else
// <noun>.<reason>.
const (
	CodeInvalidJSON   = "request.invalid_json"
	CodeTooLarge      = "request.too_large"
	CodeMethod        = "request.method"
	CodePath          = "request.path"
	CodeHost          = "request.host"
	CodeOrigin        = "request.origin"
	CodeCapability    = "request.capability"
	CodeRemoteMedia   = "request.remote_media"
	CodeModelRequired = "request.model_required"
	CodeRejected      = "request.rejected"
	CodeRateLimited   = "request.rate_limited"
	CodeIncomplete    = "request.incomplete"
	CodeForbidden     = "request.forbidden"
	CodeInvalidAPIKey = "invalid_api_key"
	CodeModelNotFound = "model_not_found"
	CodeContextLength = "context_length_exceeded"
	CodeRouteUnknown  = "route.unknown"
	CodeUntrusted     = "route.untrusted"
	CodeMisconfigured = "route.misconfigured"
	CodeSlotLoading   = "slot.loading"
	CodeBootTimeout   = "slot.boot_timeout"
	CodeLoadFailed    = "slot.load_failed"
	CodeCrashLooping  = "slot.crash_looping"
	CodeCrashed       = "slot.crashed"
	CodeNoMemory      = "slot.no_memory"
	CodeNoDisk        = "slot.no_disk"
	CodeNotAllowed    = "slot.not_allowed"
	CodeQueueFull     = "slot.queue_full"
	CodeUnloading     = "slot.unloading"
	CodeConflict      = "slot.conflict"
	CodeDeviceLost    = "device.lost"
	CodeTruncated     = "stream.truncated"
	CodeStalled       = "stream.stalled"
	CodeLagged        = "stream.lagged"
	CodeUnreachable   = "sidecar.unreachable"
	CodeLost          = "sidecar.lost"
	CodeShutdown      = "sidecar.shutdown"
	CodeEdgeShutdown  = "edge.shutdown"
	CodeEngine        = "engine.error"
	CodeWireVersion   = "wire.version"
	CodeInternal      = "internal"
)

const (
	typeInvalid           = "invalid_request_error"
	typeServer            = "server_error"
	typeRate              = "rate_limit_error"
	anthropicAPI          = "api_error"
	anthropicOverloaded   = "overloaded_error"
	anthropicInvalid      = "invalid_request_error"
	anthropicNotFound     = "not_found_error"
	anthropicAuth         = "authentication_error"
	anthropicPermission   = "permission_error"
	anthropicRequestLarge = "request_too_large"
	anthropicRate         = "rate_limit_error"
)

// Code is one row of the table of codes.
type Code struct {
	Name      string
	Status    int
	Type      string // OpenAI's error.type
	Anthropic string // Anthropic's error.type
	Retryable bool   // the same request may well succeed later
	Meaning   string // for the reference
}

// Codes returns the table.
func Codes() []Code {
	return []Code{
		{CodeInvalidJSON, 400, typeInvalid, anthropicInvalid, false, "The request's body is not a JSON object."},
		{CodeTooLarge, 413, typeInvalid, anthropicRequestLarge, false, "The request's body is larger than the route allows (maxBody, maxUpload)."},
		{CodeMethod, 405, typeInvalid, anthropicInvalid, false, "The endpoint exists, but not with this method."},
		{CodePath, 400, typeInvalid, anthropicInvalid, false, "The path holds an encoded slash, a backslash or a dot segment."},
		{CodeHost, 421, typeInvalid, anthropicInvalid, false, "The Host header names a host that this route does not serve (hosts)."},
		{CodeOrigin, 403, typeInvalid, anthropicPermission, false, "A web page of another origin asked (cors)."},
		{CodeCapability, 400, typeInvalid, anthropicInvalid, false, "The model does not declare the capability that the endpoint needs."},
		{CodeRemoteMedia, 400, typeInvalid, anthropicInvalid, false, "The request names media by an address that the model's media list does not allow."},
		{CodeModelRequired, 400, typeInvalid, anthropicInvalid, false, "The request names no model and the route has no default."},
		{CodeRejected, 400, typeInvalid, anthropicInvalid, false, "The engine refused the request as wrong."},
		{CodeRateLimited, 429, typeRate, anthropicRate, true, "A rate limit on the way refused the request."},
		{CodeIncomplete, 400, typeInvalid, anthropicInvalid, false, "The request's body ended before its announced length, or took too long."},
		{CodeForbidden, 403, typeInvalid, anthropicPermission, false, "Something on the way, such as an address list, refused the request."},
		{CodeInvalidAPIKey, 401, typeInvalid, anthropicAuth, false, "The API key is missing or wrong."},
		{CodeModelNotFound, 404, typeInvalid, anthropicNotFound, false, "No model of this route has that name."},
		{CodeContextLength, 400, typeInvalid, anthropicInvalid, false, "The prompt is longer than the model's context."},
		{CodeRouteUnknown, 404, typeInvalid, anthropicNotFound, false, "There is no such endpoint under /v1."},
		{CodeUntrusted, 403, typeInvalid, anthropicPermission, false, "The X-Hal0 header is not signed with this sidecar's token, or is too old."},
		{CodeMisconfigured, 503, typeServer, anthropicAPI, false, "The route's middleware did not load; Traefik's log says why."},
		{CodeSlotLoading, 503, typeServer, anthropicOverloaded, true, "The model is being fetched or loaded, and that takes longer than a request can be held."},
		{CodeBootTimeout, 504, typeServer, anthropicAPI, false, "The engine did not become ready in its time."},
		{CodeLoadFailed, 502, typeServer, anthropicAPI, false, "The engine could not load the model."},
		{CodeCrashLooping, 503, typeServer, anthropicOverloaded, true, "The engine keeps crashing; it is tried again after a pause."},
		{CodeCrashed, 502, typeServer, anthropicAPI, true, "The engine's process ended while it worked on the request."},
		{CodeNoMemory, 507, typeServer, anthropicOverloaded, true, "There is not enough memory for the model beside what is loaded."},
		{CodeNoDisk, 507, typeServer, anthropicAPI, false, "There is not enough disk space to fetch the model, or to keep an upload until it is ready."},
		{CodeNotAllowed, 403, typeInvalid, anthropicPermission, false, "The sidecar's own file does not allow what the route declares."},
		{CodeQueueFull, 429, typeRate, anthropicRate, true, "Too many requests wait for this model."},
		{CodeUnloading, 503, typeServer, anthropicOverloaded, true, "The model was unloaded by hand."},
		{CodeConflict, 409, typeInvalid, anthropicInvalid, false, "Another route declares this slot differently."},
		{CodeDeviceLost, 503, typeServer, anthropicOverloaded, true, "The device does not answer; it is probed until it does."},
		{CodeTruncated, 502, typeServer, anthropicAPI, true, "The engine's stream ended before it was complete."},
		{CodeStalled, 504, typeServer, anthropicAPI, true, "The engine sent nothing for too long."},
		{CodeLagged, 503, typeServer, anthropicAPI, false, "This reader was too slow for the stream."},
		{CodeUnreachable, 503, typeServer, anthropicOverloaded, true, "The sidecar cannot be reached."},
		{CodeLost, 502, typeServer, anthropicAPI, true, "The sidecar was lost in the middle of a stream."},
		{CodeShutdown, 503, typeServer, anthropicOverloaded, true, "The sidecar is shutting down."},
		{CodeEdgeShutdown, 503, typeServer, anthropicOverloaded, true, "Traefik is shutting down."},
		{CodeEngine, 502, typeServer, anthropicAPI, true, "The engine answered with an error of its own."},
		{CodeWireVersion, 426, typeServer, anthropicAPI, false, "Plugin and sidecar are of versions that do not fit together."},
		{CodeInternal, 500, typeServer, anthropicAPI, true, "Something that should not happen did; the log has more."},
	}
}

// Lookup returns the row of a code; an unknown name is CodeInternal's row under
// that name.
func Lookup(name string) Code {
	var internal Code
	for _, c := range Codes() {
		if c.Name == name {
			return c
		}
		internal = c
	}
	internal.Name = name
	return internal
}
