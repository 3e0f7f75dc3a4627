package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

func options3(job Job, client *http.Client) []option.RequestOption {
	o := []option.RequestOption{
		option.WithBaseURL(job.BaseURL), option.WithAPIKey(job.Key),
		option.WithMaxRetries(job.Retries), option.WithHTTPClient(client),
	}
	for k, v := range job.Headers {
		o = append(o, option.WithHeader(k, v))
	}
	for k, v := range job.Extra {
		o = append(o, option.WithJSONSet(k, v))
	}
	return o
}

func run3(ctx context.Context, job Job, h *http.Client, say func(Line)) error {
	client := openai.NewClient(options3(job, h)...)
	chat := openai.ChatCompletionNewParams{
		Model: job.Model, MaxTokens: openai.Int(job.MaxTokens),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(job.Prompt)},
	}
	legacy := openai.CompletionNewParams{
		Model: openai.CompletionNewParamsModel(job.Model), MaxTokens: openai.Int(job.MaxTokens),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(job.Prompt)},
	}
	switch {
	case job.API == "responses":
		return responses3(ctx, job, client, say)
	case job.API == "completion" && job.Stream:
		s := client.Completions.NewStreaming(ctx, legacy)
		for s.Next() {
			l := Line{Kind: "event"}
			if c := s.Current().Choices; len(c) > 0 {
				l.Text, l.Finish = c[0].Text, string(c[0].FinishReason)
			}
			say(l)
		}
		return ending(s)
	case job.API == "completion":
		a, err := client.Completions.New(ctx, legacy)
		if err != nil {
			return err
		}
		say(Line{Kind: "answer", Text: a.Choices[0].Text, Finish: string(a.Choices[0].FinishReason)})
		return nil
	case job.Stream:
		s := client.Chat.Completions.NewStreaming(ctx, chat)
		for s.Next() {
			l := Line{Kind: "event"}
			if c := s.Current().Choices; len(c) > 0 {
				l.Text, l.Finish = c[0].Delta.Content, c[0].FinishReason
			}
			say(l)
		}
		return ending(s)
	}
	a, err := client.Chat.Completions.New(ctx, chat)
	if err != nil {
		return err
	}
	say(Line{Kind: "answer", Text: a.Choices[0].Message.Content, Finish: a.Choices[0].FinishReason})
	return nil
}

func responses3(ctx context.Context, job Job, client openai.Client, say func(Line)) error {
	params := responses.ResponseNewParams{
		Model: job.Model, MaxOutputTokens: openai.Int(job.MaxTokens),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(job.Prompt)},
	}
	if !job.Stream {
		a, err := client.Responses.New(ctx, params)
		if err != nil {
			return err
		}
		say(Line{Kind: "answer", Text: a.OutputText(), Finish: string(a.Status)})
		return nil
	}
	s := client.Responses.NewStreaming(ctx, params)
	for s.Next() {
		e := s.Current()
		l := Line{Kind: "event", Event: e.Type, Code: string(e.Response.Error.Code), Message: e.Response.Error.Message}
		if e.Type == "response.output_text.delta" {
			l.Text = e.Delta
		}
		say(l)
	}
	return ending(s)
}

func status3(l *Line, err error) {
	var e *openai.Error
	if errors.As(err, &e) {
		l.Message, l.Code, l.Type, l.Status = e.Message, e.Code, e.Type, e.StatusCode
	}
}
