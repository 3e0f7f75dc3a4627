//go:build go1.21

package plugin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// apiKey is one key that clients may use; only its hash is known.
type apiKey struct {
	name string
	sum  []byte
}

// apiKeys checks "name:sha256:<hex>". Messages never repeat an item: it may
// hold a key in plain.
func (p *problems) apiKeys(raw []string) []apiKey {
	var keys []apiKey
	seen := map[string]bool{}
	for _, item := range trimmed(raw) {
		parts := strings.Split(item, ":")
		if len(parts) != 3 || parts[1] != "sha256" {
			p.add("keys", "an item is not of the form name:sha256:<hex>")
			continue
		}
		sum, err := hex.DecodeString(parts[2])
		if err != nil || len(sum) != sha256.Size {
			p.add("keys", "the hash of an item is not 64 hexadecimal digits")
			continue
		}
		if !validName(parts[0]) {
			p.add("keys", "the name of an item is not made of letters, digits, -, _ and .")
			continue
		}
		if seen[parts[0]] {
			p.add("keys", "\""+parts[0]+"\" comes twice")
		}
		seen[parts[0]] = true
		keys = append(keys, apiKey{name: parts[0], sum: sum})
	}
	return keys
}

// keyOf finds the name of the key that a request carries, "" = none or a wrong
// one. It compares with every key, so that the time says nothing.
func keyOf(keys []apiKey, h http.Header) string {
	if len(keys) == 0 {
		return ""
	}
	name := ""
	for _, presented := range []string{bearer(h.Get("Authorization")), h.Get("X-Api-Key"), h.Get("Api-Key")} {
		if presented == "" {
			continue
		}
		sum := sha256.Sum256([]byte(presented))
		for _, k := range keys {
			if subtle.ConstantTimeCompare(sum[:], k.sum) == 1 {
				name = k.name
			}
		}
	}
	return name
}

func bearer(value string) string {
	if len(value) > 7 && strings.EqualFold(value[:7], "Bearer ") {
		return strings.TrimSpace(value[7:])
	}
	return ""
}
