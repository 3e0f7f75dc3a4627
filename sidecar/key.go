package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/spf13/cobra"
)

func keyCommand(stdout io.Writer) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "key NAME",
		Short: "Make an API key for a client",
		Long: `Key makes an API key, prints it once, and prints the label that lets it in. Only
the key's hash is in the label; the name is what shows in logs and limits.`,
		Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error {
			key, item, err := newKey(args[0], rand.Reader)
			if err != nil {
				return err
			}
			if err := checkName(args[0], item); err != nil {
				return usageError{err}
			}
			text := fmt.Sprintf("key:    %s\nlabel:  traefik.http.middlewares.hal0.plugin.hal0.keys[N]: %s\n\n"+
				"Give the key to the client now: it is kept nowhere. Put a number that is free in place of N.", key, item)
			return say(stdout, asJSON, text, map[string]any{"name": args[0], "key": key, "item": item})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// newKey makes a key, and the item of keys that lets it in.
func newKey(name string, random io.Reader) (key, item string, err error) {
	secret := make([]byte, 32)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", "", fmt.Errorf("make key: %w", err)
	}
	key = "sk-hal0-" + base64.RawURLEncoding.EncodeToString(secret)
	sum := sha256.Sum256([]byte(key))
	item = name + ":sha256:" + hex.EncodeToString(sum[:])
	return key, item, nil
}

// checkName asks the plugin, whose word counts.
func checkName(name, item string) error {
	config := plugin.CreateConfig()
	config.Keys = []string{item}
	for _, problem := range plugin.Problems(config) {
		if strings.HasPrefix(problem, "keys: ") {
			return fmt.Errorf("make key for %q: a name is made of letters, digits, -, _ and ., up to 64 of them", name)
		}
	}
	return nil
}
