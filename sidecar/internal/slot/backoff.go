package slot

import "time"

// Backoff is the policy of trying again after failures. The zero value stands
// for the defaults.
type Backoff struct {
	First time.Duration // after one failure; 1 s
	Max   time.Duration // 5 min
	Open  int           // failures in a row after which the breaker is open; 5
	Calm  time.Duration // up for this long counts as a success; 1 min
}

func (b Backoff) withDefaults() Backoff {
	if b.First <= 0 {
		b.First = time.Second
	}
	if b.Max <= 0 {
		b.Max = 5 * time.Minute
	}
	if b.Open <= 0 {
		b.Open = 5
	}
	if b.Calm <= 0 {
		b.Calm = time.Minute
	}
	return b
}

// Wait is the pause after that many failures in a row: First, doubled for each
// further one, at most Max, and of that between three quarters and the whole,
// as jitter in [0, 1) says.
func (b Backoff) Wait(failures int, jitter float64) time.Duration {
	b = b.withDefaults()
	if failures <= 0 {
		return 0
	}
	d := b.Max
	if shift := failures - 1; shift < 32 && b.First < b.Max>>shift {
		d = b.First << shift
	}
	return d - time.Duration(jitter*float64(d)/4)
}

// Looping reports whether the breaker is open: nobody is held any more, and
// after each pause one attempt is made for the next who asks.
func (b Backoff) Looping(failures int) bool { return failures >= b.withDefaults().Open }
