package device

import (
	"errors"
	"fmt"
	"sort"
	"sync"
)

// ErrNoRoom is wrapped by what Reserve returns when an account has not enough
// left.
var ErrNoRoom = errors.New("not enough memory left")

// Ledger divides the devices' memory among reservations.
type Ledger struct {
	mu       sync.Mutex // guards all below, and the reservations' fields
	accounts map[ID]int64
	held     map[*Reservation]bool
}

// NewLedger makes a ledger without accounts.
func NewLedger() *Ledger {
	return &Ledger{accounts: map[ID]int64{}, held: map[*Reservation]bool{}}
}

// Capacity sets what may be reserved of an account in all; Unknown = no limit.
// What is reserved already stays so.
func (l *Ledger) Capacity(account ID, capacity int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[account] = capacity
}

// Reserve takes all the shares or none.
func (l *Ledger) Reserve(owner string, shares []Share) (*Reservation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Reservation{ledger: l, owner: owner, shares: append([]Share(nil), shares...)}
	l.held[r] = true
	for _, s := range shares {
		capacity, ok := l.accounts[s.Device]
		if !ok {
			delete(l.held, r)
			return nil, fmt.Errorf("reserve memory for %s: there is no account %q", owner, s.Device)
		}
		if capacity != Unknown && l.reservedLocked(s.Device) > capacity {
			delete(l.held, r)
			return nil, fmt.Errorf("reserve %d bytes on %s for %s: %w", s.Bytes, s.Device, owner, ErrNoRoom)
		}
	}
	return r, nil
}

func (l *Ledger) reservedLocked(account ID) int64 {
	var sum int64
	for r := range l.held {
		for _, s := range r.shares {
			if s.Device == account {
				sum += s.Bytes
			}
		}
	}
	return sum
}

// Account is one account of the ledger.
type Account struct {
	ID       ID     `json:"id"`
	Capacity int64  `json:"capacity_bytes"` // Unknown = no limit
	Reserved int64  `json:"reserved_bytes"`
	Holders  []Hold `json:"holders,omitempty"`
}

// Free is what is left, Unknown = no limit.
func (a Account) Free() int64 {
	if a.Capacity == Unknown {
		return Unknown
	}
	return max(a.Capacity-a.Reserved, 0)
}

// Hold is one reservation's part of an account.
type Hold struct {
	Owner       string `json:"owner"`
	Bytes       int64  `json:"bytes"`
	Quarantined bool   `json:"quarantined,omitempty"`
}

// Accounts copies the accounts, by id.
func (l *Ledger) Accounts() []Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Account, 0, len(l.accounts))
	for id, capacity := range l.accounts {
		a := Account{ID: id, Capacity: capacity, Reserved: l.reservedLocked(id)}
		for r := range l.held {
			for _, s := range r.shares {
				if s.Device == id {
					a.Holders = append(a.Holders, Hold{r.owner, s.Bytes, r.quarantined})
				}
			}
		}
		sort.Slice(a.Holders, func(i, j int) bool { return a.Holders[i].Owner < a.Holders[j].Owner })
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Reservation is the right to memory. Its methods may be called from any
// goroutine.
type Reservation struct {
	ledger      *Ledger
	owner       string
	shares      []Share // guarded by ledger.mu
	quarantined bool    // guarded by ledger.mu
}

// Shares copies what is reserved.
func (r *Reservation) Shares() []Share {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	return append([]Share(nil), r.shares...)
}

// Correct sets the share on an account to what is held in fact, also beyond
// its capacity. It does nothing after Release.
func (r *Reservation) Correct(account ID, bytes int64) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	for i, s := range r.shares {
		if s.Device == account {
			r.shares[i].Bytes = bytes
		}
	}
}

// Quarantine marks the reservation as held by a process that nobody can end.
// Release still ends it.
func (r *Reservation) Quarantine() {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	r.quarantined = true
}

// Release gives the memory back; again is nothing.
func (r *Reservation) Release() {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	delete(r.ledger.held, r)
}
