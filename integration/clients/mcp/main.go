// mcp is an MCP server whose tool asks a model, and a client for it, both with
// MCP's own SDK. The server speaks on its standard streams, and finds the model
// where every OpenAI SDK does: OPENAI_BASE_URL, OPENAI_API_KEY.
//
//	mcp serve
//	mcp call MODEL PROMPT COMMAND…    starts the server by a command, calls its tool, prints what it says
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mcp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve(ctx)
	case len(args) > 3 && args[0] == "call":
		return call(ctx, question{Model: args[1], Prompt: args[2]}, args[3:])
	}
	return fmt.Errorf("usage: mcp serve | mcp call MODEL PROMPT COMMAND…")
}

// question is the tool's input.
type question struct {
	Model  string `json:"model" jsonschema:"the model to ask"`
	Prompt string `json:"prompt" jsonschema:"what to ask"`
}

func serve(ctx context.Context) error {
	server := mcp.NewServer(&mcp.Implementation{Name: "asker", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "ask", Description: "Asks a model, and gives its stream as it came."},
		func(ctx context.Context, _ *mcp.CallToolRequest, q question) (*mcp.CallToolResult, any, error) {
			text, err := ask(ctx, q)
			if err != nil {
				return nil, nil, err
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		})
	return server.Run(ctx, &mcp.StdioTransport{})
}

// ask returns the bytes of the model's stream.
func ask(ctx context.Context, q question) (string, error) {
	body, err := json.Marshal(map[string]any{
		"model": q.Model, "stream": true, "messages": []map[string]string{{"role": "user", "content": q.Prompt}},
	})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("OPENAI_BASE_URL")+"/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

func call(ctx context.Context, q question, command []string) error {
	server := exec.Command(command[0], command[1:]...)
	server.Stderr = os.Stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "caller", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.CommandTransport{Command: server}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "ask", Arguments: q})
	if err != nil {
		return err
	}
	for _, part := range result.Content {
		if text, ok := part.(*mcp.TextContent); ok {
			fmt.Print(text.Text)
		}
	}
	if result.IsError {
		return fmt.Errorf("the tool failed")
	}
	return nil
}
