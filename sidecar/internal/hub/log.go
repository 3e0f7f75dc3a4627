package hub

// log is the part of a flight's frames that is kept. The arrays behind frames
// are only ever appended to, never overwritten: what from returned stays valid.
type log struct {
	frames [][]byte
	first  int   // number of frames[0], counted from the flight's beginning
	size   int64 // bytes in frames
}

func (l *log) end() int { return l.first + len(l.frames) }

// append adds a frame. If the array is full, what lies before keep is dropped
// with it; it returns by how much the log has grown.
func (l *log) append(frame []byte, keep func() int) int64 {
	var dropped int64
	if len(l.frames) == cap(l.frames) {
		dropped = l.trim(keep())
	}
	l.frames = append(l.frames, frame)
	l.size += int64(len(frame))
	return int64(len(frame)) - dropped
}

// trim drops the frames before keep, into a new array, and returns their size.
func (l *log) trim(keep int) int64 {
	drop := min(keep-l.first, len(l.frames))
	if drop <= 0 {
		return 0
	}
	var size int64
	for _, f := range l.frames[:drop] {
		size += int64(len(f))
	}
	rest := l.frames[drop:]
	frames := make([][]byte, len(rest), max(16, 2*len(rest)))
	copy(frames, rest)
	l.frames, l.first, l.size = frames, l.first+drop, l.size-size
	return size
}

// skip counts n frames that are not kept, and drops what is; it returns the
// size of that.
func (l *log) skip(n int) int64 {
	size := l.size
	l.first, l.frames, l.size = l.end()+n, nil, 0
	return size
}

// from returns the frames from number i on and their size.
func (l *log) from(i int) ([][]byte, int64) {
	frames := l.frames[i-l.first:]
	frames = frames[:len(frames):len(frames)]
	if len(frames) == len(l.frames) {
		return frames, l.size
	}
	var size int64
	for _, f := range frames {
		size += int64(len(f))
	}
	return frames, size
}
