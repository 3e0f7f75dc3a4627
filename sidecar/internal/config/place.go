package config

import (
	"os"
	"path/filepath"
)

// defaultState follows the XDG base directories, and systemd's variable for a
// service's state where it is set.
func defaultState() string {
	if d := os.Getenv("STATE_DIRECTORY"); d != "" {
		return d
	}
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "hal0")
	}
	return filepath.Join(home(), ".local", "state", "hal0")
}

func defaultModels() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "hal0", "models")
	}
	return filepath.Join(home(), ".local", "share", "hal0", "models")
}

// home falls back to the working directory for users without one.
func home() string {
	if d, err := os.UserHomeDir(); err == nil {
		return d
	}
	return "."
}
