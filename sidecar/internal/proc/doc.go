// Package proc runs operating system processes that must never outlive their
// purpose: engines, mostly.
//
// Vocabulary. A Spec says what to run. A Process is a running leader and its
// group: everything that the leader starts and that does not leave the group on
// its own. Exit is how the leader ended. The tail is the last of what the group
// wrote to standard output and standard error, line by line.
//
// Contract. Start either fails and leaves nothing behind, or returns a Process
// whose Done is closed exactly once, when the leader has ended, what was left of
// its group has been killed, and the last line has been delivered. Done never
// waits for a stranger who keeps the leader's output open. Terminate and Kill
// may be called at any time, from anywhere, any number of times; they never
// reach a process that only inherited the number. All methods are safe for
// concurrent use. Each Process costs one goroutine locked to one thread, since
// on linux the kernel ties the parent-death signal to the thread that forked.
//
// On linux the group's leader is killed when this process dies, by whatever
// cause. Elsewhere there is no such help.
package proc
