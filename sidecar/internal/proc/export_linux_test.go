package proc

// RunInit is the duty of process 1, for a process that is another.
func RunInit() int { return runInit() }
