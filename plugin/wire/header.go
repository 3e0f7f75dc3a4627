//go:build go1.21

package wire

// Version is the version of the proof that this build writes. A sidecar takes
// this one and the one before it.
const Version = 1

// Request headers. The plugin removes every X-Hal0* header that a client sent,
// except HeaderCoalesce with the value CoalesceOff.
const (
	// HeaderProof carries "v1.<base64url JSON>.<base64url HMAC>", see Sign.
	HeaderProof = "X-Hal0"
	// HeaderSlot and HeaderNode repeat the decision in plain, for Traefik's
	// child routers. Nobody believes them without the proof.
	HeaderSlot = "X-Hal0-Slot"
	HeaderNode = "X-Hal0-Node"
	// HeaderCoalesce with CoalesceOff asks for an upstream call of its own.
	HeaderCoalesce = "X-Hal0-Coalesce"
	CoalesceOff    = "off"
	// HeaderRequestID is echoed on every response, errors too.
	HeaderRequestID = "X-Request-Id"
)

// Response headers.
const (
	// HeaderDeclare with "1" asks the plugin to declare its route again. The
	// plugin strips it.
	HeaderDeclare = "X-Hal0-Declare"
	// HeaderHeartbeat is the interval, in seconds, at which a committed stream
	// promises a sign of life. The plugin strips it.
	HeaderHeartbeat = "X-Hal0-Heartbeat"
	// HeaderFlight is FlightLead or FlightJoin.
	HeaderFlight = "X-Hal0-Flight"
	FlightLead   = "lead"
	FlightJoin   = "join"
	// HeaderColdStart is "true" where the request waited for a boot.
	HeaderColdStart = "X-Hal0-Cold-Start"
	// HeaderWait is how long the request was held, in milliseconds.
	HeaderWait = "X-Hal0-Wait-Ms"
)

// Prefix is what all of our header names begin with, in canonical form.
const Prefix = "X-Hal0"
