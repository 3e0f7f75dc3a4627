package library

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Scheme begins the names that are looked up on the hub.
const Scheme = "hf:"

// Name is a model on the hub: a repository, and which of its files.
type Name struct {
	Repo  string // org/name
	Quant string // quantisation or file, "" = the usual choice
}

var (
	validRepo  = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)
	validQuant = regexp.MustCompile(`^[A-Za-z0-9][\w./-]*$`)
)

// errNotHub is a name that is none of the hub's.
var errNotHub = errors.New("is not hf:org/repo[:quant]")

// IsHub reports whether a model's name is looked up on the hub.
func IsHub(model string) bool { return strings.HasPrefix(model, Scheme) }

// ParseName reads hf:org/repo[:quant].
func ParseName(model string) (Name, error) {
	rest, ok := strings.CutPrefix(model, Scheme)
	repo, quant, tagged := strings.Cut(rest, ":")
	n := Name{repo, quant}
	if !ok || !validRepo.MatchString(repo) || strings.Contains(rest, "..") || tagged && !validQuant.MatchString(quant) {
		return Name{}, fmt.Errorf("model %q %w", model, errNotHub)
	}
	return n, nil
}

func (n Name) String() string {
	if n.Quant == "" {
		return Scheme + n.Repo
	}
	return Scheme + n.Repo + ":" + n.Quant
}
