package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const chatHelp = `Chat talks to a slot, as a client would: a cold slot is booted, a stream that fails
ends with its error. Each line is a message.

  /slot NAME   talk to another slot
  /stop        end the answer that is streaming (Ctrl-C does, too)
  /clear       forget what was said
  /quit        leave (Ctrl-D does, too)

Without --api the sidecar is asked at its control address, which needs no API key.
With --api=http://hal0.lan:8080/v1 the request goes the way of every client's.`

// chatter is one conversation.
type chatter struct {
	remote
	api, key string
	slot     string
	out      io.Writer
	asJSON   bool // the events as they come, one a line
	said     []message
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func chatCommand(stdout io.Writer) *cobra.Command {
	t := &chatter{out: stdout}
	text := ""
	c := &cobra.Command{
		Use:               "chat SLOT",
		Short:             "Talk to a slot",
		Long:              chatHelp,
		Args:              oneArgument,
		ValidArgsFunction: t.completeSlots,
		RunE: func(c *cobra.Command, args []string) error {
			t.slot = args[0]
			if t.key == "" {
				t.key = os.Getenv("HAL0_API_KEY") // no default of the flag: help would show it
			}
			if text != "" {
				ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
				defer stop()
				return t.say(ctx, text)
			}
			return t.talk(c.Context(), c.InOrStdin(), onTerminal(stdout))
		},
	}
	t.flags(c)
	c.Flags().StringVarP(&text, "message", "m", "", "send this message, print the answer and leave")
	c.Flags().StringVar(&t.api, "api", "", "address of an OpenAI API to use instead, such as http://hal0.lan:8080/v1")
	c.Flags().StringVar(&t.key, "key", "", "API key for --api (HAL0_API_KEY)")
	c.Flags().BoolVar(&t.asJSON, "json", false, "print the events of the stream as they come, one a line")
	return c
}

// talk reads lines until there are no more, and answers each. A line that comes
// while an answer streams is kept, unless it is /stop.
func (t *chatter) talk(ctx context.Context, in io.Reader, prompt bool) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(in); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	var kept []string
	var failed error
	for {
		line, more := "", true
		if len(kept) > 0 {
			line, kept = kept[0], kept[1:]
		} else {
			if prompt {
				fmt.Fprintf(t.out, "%s> ", t.slot)
			}
			select {
			case line, more = <-lines:
			case <-interrupts:
				return nil
			}
		}
		switch command, rest, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case !more || command == "/quit":
			return failed
		case command == "/slot":
			t.slot, t.said = strings.TrimSpace(rest), nil
		case command == "/clear":
			t.said = nil
		case command == "" || command == "/stop":
		case strings.HasPrefix(command, "/"):
			fmt.Fprintln(t.out, "commands are /slot NAME, /stop, /clear and /quit")
		default:
			kept, failed = t.answer(ctx, line, lines, interrupts, kept)
			if failed != nil && prompt {
				fmt.Fprintf(t.out, "error: %v\n", failed)
			}
		}
		if failed != nil && !prompt {
			return failed
		}
	}
}

// answer streams one answer, until it ends or somebody stops it.
func (t *chatter) answer(ctx context.Context, text string, lines <-chan string, interrupts <-chan os.Signal, kept []string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- t.say(ctx, text) }()
	for {
		select {
		case err := <-done:
			if ctx.Err() != nil {
				err = nil // it was stopped
			}
			return kept, err
		case line, more := <-lines:
			if strings.TrimSpace(line) == "/stop" {
				cancel()
				continue
			}
			if !more {
				lines = nil
				continue
			}
			kept = append(kept, line)
		case <-interrupts:
			cancel()
		}
	}
}

// say sends a message and prints the answer as it streams.
func (t *chatter) say(ctx context.Context, text string) error {
	t.said = append(t.said, message{"user", text})
	began := time.Now()
	resp, err := t.post(ctx, map[string]any{"model": t.slot, "stream": true, "messages": t.said})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Header.Get("X-Hal0-Cold-Start") == "true" && onTerminal(t.out) {
		fmt.Fprintf(t.out, "(cold start, %s)\n", brief(time.Since(began)))
	}
	answer, err := t.print(newFeed(resp.Body))
	if answer != "" {
		t.said = append(t.said, message{"assistant", answer})
	}
	return err
}

func (t *chatter) post(ctx context.Context, body any) (*http.Response, error) {
	if t.api == "" {
		return t.open(ctx, http.MethodPost, "/api/v1/chat/completions", body)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(t.api, "/")+"/chat/completions", strings.NewReader(string(b)))
	if err != nil {
		return nil, usageError{fmt.Errorf("read --api: %w", err)}
	}
	r.Header.Set("Content-Type", "application/json")
	if t.key != "" {
		r.Header.Set("Authorization", "Bearer "+t.key)
	}
	return ask(r)
}

// print writes a stream's text and returns it.
func (t *chatter) print(events *feed) (string, error) {
	var answer strings.Builder
	defer func() {
		if !t.asJSON && answer.Len() > 0 {
			fmt.Fprintln(t.out)
		}
	}()
	clean := onTerminal(t.out)
	for {
		_, data, err := events.next()
		switch {
		case data == "[DONE]":
			return answer.String(), nil
		case errors.Is(err, io.EOF):
			return answer.String(), errors.New("the stream ended before it was complete")
		case err != nil:
			return answer.String(), err
		}
		if t.asJSON {
			fmt.Fprintln(t.out, data)
		}
		var chunk struct {
			Error   *struct{ Message, Code string }
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return answer.String(), fmt.Errorf("read answer: %w", err)
		}
		if chunk.Error != nil {
			return answer.String(), fmt.Errorf("%s (%s)", chunk.Error.Message, chunk.Error.Code)
		}
		for _, choice := range chunk.Choices {
			text := choice.Delta.Content
			answer.WriteString(text)
			if clean {
				text = plain(text)
			}
			if !t.asJSON {
				fmt.Fprint(t.out, text)
			}
		}
	}
}
