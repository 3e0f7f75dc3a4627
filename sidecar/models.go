package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/library"
	"github.com/spf13/cobra"
)

// shelf is the library of this box as the commands use it: they work on the
// models directory itself, whether or not a sidecar runs.
type shelf struct{ dir string }

func (s *shelf) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.dir, "models", "", "directory of model files; default: the configuration's (HAL0_CONFIG, HAL0_MODELS)")
}

// open finds the models directory as `hal0 serve` would.
func (s *shelf) open() (*library.Library, error) {
	cfg := config.Default()
	if err := config.Load(cfg, nil, os.Environ()); err != nil {
		return nil, usageError{err}
	}
	if s.dir != "" {
		cfg.Models = s.dir
	}
	return library.New(library.Config{Dir: cfg.Models, Hub: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN"), Reserve: inBytes(cfg.Disk.Reserve)}), nil
}

func pullCommand(stdout io.Writer) *cobra.Command {
	s := &shelf{}
	asJSON := false
	c := &cobra.Command{
		Use:   "pull hf:ORGANISATION/REPOSITORY[:QUANTIZATION]",
		Short: "Fetch a model, or what is missing of it",
		Args:  oneArgument,
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := library.ParseName(args[0]); err != nil {
				return usageError{err}
			}
			l, err := s.open()
			if err != nil {
				return err
			}
			defer l.Close()
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := l.Fetch(ctx, args[0], progressLines(stdout, asJSON)); err != nil {
				return err
			}
			path, err := l.Path(args[0])
			if err != nil {
				return err
			}
			return say(stdout, asJSON, path, map[string]any{"path": path})
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print each step as JSON, one a line; the last has the path")
	return c
}

// progressLines prints how far a fetch is, every two seconds at most: readable
// in a terminal, in a pipe and in a container's log.
func progressLines(out io.Writer, asJSON bool) func(library.Progress) {
	began := time.Now()
	var last time.Time
	return func(p library.Progress) {
		if time.Since(last) < 2*time.Second && p.Done < p.Total {
			return
		}
		last = time.Now()
		if asJSON {
			_ = json.NewEncoder(out).Encode(map[string]any{"done_bytes": p.Done, "total_bytes": p.Total}) // the fetch goes on
			return
		}
		left := ""
		if p.Done > 0 && p.Done < p.Total {
			rest := time.Duration(float64(time.Since(began)) * float64(p.Total-p.Done) / float64(p.Done))
			left = fmt.Sprintf(", %s left", rest.Round(time.Second))
		}
		fmt.Fprintf(out, "%3d %%  %s of %s%s\n", 100*p.Done/max(p.Total, 1), size(p.Done), size(p.Total), left)
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

func modelsCommand(stdout io.Writer) *cobra.Command {
	s := &shelf{}
	asJSON := false
	c := &cobra.Command{
		Use:   "models",
		Short: "List the model files of this box",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := s.open()
			if err != nil {
				return err
			}
			defer l.Close()
			items, err := l.List()
			if errors.Is(err, os.ErrNotExist) {
				items, err = nil, nil
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(stdout).Encode(items)
			}
			return printModels(stdout, items)
		},
	}
	s.flags(c)
	jsonFlag(c, &asJSON)
	c.AddCommand(removeModelCommand(stdout))
	return c
}

func printModels(out io.Writer, items []library.Item) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tSIZE\tNAMES")
	for _, i := range items {
		note := strings.Join(i.Names, " ")
		if i.Partial {
			note = strings.TrimSpace("(not whole yet) " + note)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", i.Path, size(i.Size), note)
	}
	return w.Flush()
}

func removeModelCommand(stdout io.Writer) *cobra.Command {
	s := &shelf{}
	asJSON := false
	c := &cobra.Command{
		Use:   "rm MODEL",
		Short: "Remove a model's files: a name (hf:…) or a file as listed",
		Args:  oneArgument,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := s.open()
			if err != nil {
				return err
			}
			defer l.Close()
			if err := l.Remove(args[0]); err != nil {
				return err
			}
			return say(stdout, asJSON, "removed "+args[0], map[string]any{"removed": args[0]})
		},
	}
	s.flags(c)
	jsonFlag(c, &asJSON)
	return c
}
