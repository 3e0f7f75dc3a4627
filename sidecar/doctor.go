package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/doctor"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/library"
	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/spf13/cobra"
)

// doctorWithin bounds the whole of it: a driver has five seconds, and one more
// to be killed in.
const doctorWithin = 8 * time.Second

const doctorHelp = `Doctor looks at this box: configuration, llama.cpp, GPUs, addresses, directories,
token, disk, clock, and the sidecar where one runs. It says what is wrong and what to
do, starts nothing, and never waits long. Exit status: 0 if nothing is wrong, 1 if
something will not work, 2 if the configuration cannot be read.

It takes the configuration's flags, --json, and --url for a sidecar that is not here.`

func doctorCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:                "doctor [--json] [--url=URL] [--config=FILE] [--KEY=VALUE …]",
		Short:              "Say what hal0 finds on this box, what is wrong, and what to do",
		Long:               doctorHelp,
		DisableFlagParsing: true, // the flags are the configuration's keys
		RunE: func(c *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return c.Help()
			}
			asJSON, args := takeSwitch(args, "json")
			url, args, err := takeFlag(args, "url")
			if err != nil {
				return usageError{err}
			}
			cfg := config.Default()
			if err := config.Load(cfg, args, os.Environ()); err != nil {
				return usageError{err}
			}
			if url == "" {
				url = "http://" + cfg.Listen.Control
			}
			found := doctor.Run(c.Context(), checksOf(cfg, &remote{url: url, token: os.Getenv("HAL0_TOKEN_FILE")}), doctorWithin)
			if err := printDiagnosis(stdout, found, asJSON); err != nil {
				return err
			}
			if doctor.Worst(found) == doctor.Problem {
				return errors.New("something will not work; see above")
			}
			return nil
		},
	}
}

// takeSwitch takes --name out of the arguments.
func takeSwitch(args []string, name string) (on bool, rest []string) {
	for _, a := range args {
		if a == "--"+name || a == "-"+name {
			on = true
			continue
		}
		rest = append(rest, a)
	}
	return on, rest
}

// checksOf is what there is to look at.
func checksOf(cfg *config.Config, m *remote) []doctor.Check {
	var devices doctor.Inventory
	if i := newInventory(); i != nil {
		devices = i // its probes end with the process
	}
	token := cfg.Token
	if token == "" {
		token = filepath.Join(cfg.State, "token")
	}
	cfg.Token = token
	return []doctor.Check{
		doctor.LlamaServer(engine.FindLlamaServer(cfg.LlamaServer, os.Getenv), needsLlama(cfg)),
		doctor.Devices(devices),
		doctor.Nodes("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/kfd", "/dev/dri/renderD*"),
		doctor.Listener("data address", cfg.Listen.Data),
		doctor.Listener("control address", cfg.Listen.Control),
		doctor.Directory("state", cfg.State, true),
		doctor.Directory("models", cfg.Models, false),
		doctor.Token(token),
		doctor.Space("disk", cfg.Models, inBytes(cfg.Disk.Reserve), library.FreeSpace),
		doctor.Clock(m.clock, builtAt()),
		{Name: "sidecar", Look: m.look},
	}
}

// needsLlama reports whether the configuration's own route has a model for
// llama.cpp, which is what a model without an engine has.
func needsLlama(cfg *config.Config) bool {
	own, err := readOwn(cfg)
	if err != nil || own == nil {
		return false
	}
	for _, m := range own.declared.Models {
		if m.Engine == "" || m.Engine == engine.LlamaCPP {
			return true
		}
	}
	return false
}

// clock is the sidecar's, zero where there is none.
func (m *remote) clock(ctx context.Context) time.Time {
	resp, err := m.open(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return time.Time{}
	}
	defer resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// look asks the running sidecar for its troubles.
func (m *remote) look(ctx context.Context) []doctor.Finding {
	var v struct{ Version string }
	if err := m.call(ctx, http.MethodGet, "/api/version", &v); err != nil {
		return []doctor.Finding{{Level: doctor.Note, Text: "none is reached: " + err.Error(), Advice: "`hal0 up` or `hal0 serve` starts one; --url says where one runs."}}
	}
	found := []doctor.Finding{{Level: doctor.OK, Text: "runs at " + m.url + ", version " + v.Version}}
	if v.Version != version() {
		found = append(found, doctor.Finding{Level: doctor.Note, Text: "its version is " + v.Version + ", this one's is " + version(), Advice: "Restart the sidecar after an upgrade, and Traefik, which loads plugins only when it starts."})
	}
	var routes struct{ Routes []route.Listed }
	if err := m.call(ctx, http.MethodGet, "/api/routes", &routes); err == nil {
		for _, r := range routes.Routes {
			for _, p := range r.Problems {
				found = append(found, doctor.Finding{Level: doctor.Problem, Text: fmt.Sprintf("route %s, slot %s: %s (%s)", p.Route, p.Slot, p.Message, p.Code), Advice: "Change the route's labels or the sidecar's own file; `hal0 check` reads both."})
			}
		}
	}
	var slots struct{ Slots []shown }
	if err := m.call(ctx, http.MethodGet, "/api/slots", &slots); err == nil {
		for _, s := range slots.Slots {
			if s.Trouble != nil && s.State == "error" {
				found = append(found, doctor.Finding{Level: doctor.Problem, Text: fmt.Sprintf("slot %s: %s (%s)", s.ID, s.Trouble.Message, s.Trouble.Code), Advice: "`hal0 logs " + s.ID + "` shows what its engine said."})
			}
		}
	}
	return found
}

func printDiagnosis(out io.Writer, found []doctor.Finding, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(found)
	}
	for _, f := range found {
		if _, err := fmt.Fprintf(out, "%-8s %-16s %s\n", f.Level, f.Check, plain(f.Text)); err != nil {
			return err
		}
		if f.Advice != "" {
			if _, err := fmt.Fprintf(out, "%-25s → %s\n", "", f.Advice); err != nil {
				return err
			}
		}
	}
	return nil
}
