package slot

import (
	"errors"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Class says why an engine ended or could not start, for decisions and for
// clients. The launcher reads it off exit code, signal and log.
type Class string

const (
	ClassOOM             Class = "oom"
	ClassBadModel        Class = "bad_model"
	ClassBadArgument     Class = "bad_argument"
	ClassNotAllowed      Class = "not_allowed"
	ClassPort            Class = "port"
	ClassGPU             Class = "gpu"
	ClassStateUnwritable Class = "state_unwritable"
	ClassNoDisk          Class = "no_disk"
	ClassFetch           Class = "fetch" // its files could not be fetched; they may be later
	ClassCrash           Class = "crash"
	ClassTimeout         Class = "timeout"    // did not come up in its budget
	ClassStall           Class = "stall"      // showed no life while coming up
	ClassHung            Class = "hung"       // showed no life after it was up
	ClassUnkillable      Class = "unkillable" // survived KILL
	ClassNoMemory        Class = "no_memory"  // there is no memory for it now
	ClassTooLarge        Class = "too_large"  // it does not fit any device it may use
)

// Stays reports whether trying again cannot help until something changes.
func (c Class) Stays() bool {
	switch c {
	case ClassBadModel, ClassBadArgument, ClassNotAllowed, ClassTooLarge:
		return true
	}
	return false
}

// Code is the wire code of a failure to come up for this reason.
func (c Class) Code() string {
	switch c {
	case ClassOOM, ClassNoMemory, ClassTooLarge:
		return wire.CodeNoMemory
	case ClassGPU:
		return wire.CodeDeviceLost
	case ClassNotAllowed:
		return wire.CodeNotAllowed
	case ClassNoDisk:
		return wire.CodeNoDisk
	case ClassTimeout, ClassStall:
		return wire.CodeBootTimeout
	}
	return wire.CodeLoadFailed
}

// Exit is how a process ended.
type Exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	Class  Class  `json:"class,omitempty"`
	Detail string `json:"-"` // for the operator only
}

// LaunchError is what a Launcher or Fetcher returns to say more than "crash".
type LaunchError struct {
	Class Class
	Err   error
}

func (e *LaunchError) Error() string { return e.Err.Error() }
func (e *LaunchError) Unwrap() error { return e.Err }

// exitOf turns the error of a launch into an Exit.
func exitOf(err error) Exit {
	exit := Exit{Code: -1, Class: ClassCrash, Detail: err.Error()}
	if l, ok := errors.AsType[*LaunchError](err); ok {
		exit.Class = l.Class
	}
	return exit
}

// Ending is a failure to come up that every waiter hears.
type Ending struct {
	Code    string // wire code
	Message string // for clients
	Exit    Exit
}

// endingOf words the failure for clients: no paths, no log lines.
func endingOf(exit Exit) Ending {
	return Ending{Code: exit.Class.Code(), Message: bootMessage(exit.Class), Exit: exit}
}

func bootMessage(c Class) string {
	switch c {
	case ClassOOM:
		return "the engine ran out of memory while it loaded the model"
	case ClassBadModel:
		return "the engine cannot load the model's file"
	case ClassBadArgument:
		return "the engine does not accept its arguments"
	case ClassNotAllowed:
		return "the sidecar does not allow what the model declares"
	case ClassGPU:
		return "the engine cannot use its device"
	case ClassFetch:
		return "the model's files could not be fetched"
	case ClassNoDisk:
		return "there is not enough disk space to fetch the model"
	case ClassTimeout:
		return "the engine did not become ready in its time"
	case ClassStall:
		return "the engine showed no life while it loaded the model"
	case ClassNoMemory:
		return "there is not enough memory for the model beside what is loaded"
	case ClassTooLarge:
		return "the model is larger than the devices it may use"
	case ClassStateUnwritable:
		return "the sidecar cannot write its state, so it starts no engine"
	case ClassUnkillable:
		return "the engine's process cannot be ended"
	}
	return "the engine ended while it loaded the model"
}
