package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// What a hub's answer can mean beyond "try again".
var (
	ErrNotFound = errors.New("not found on the hub")
	ErrGated    = errors.New("the hub wants a token: accept the model's terms there and set HF_TOKEN")
)

// hub is the HTTP interface of huggingface.co, or of what mirrors it.
type hub struct {
	base   string
	token  string
	client *http.Client
}

// askTimeout bounds a question; downloads have their own rule.
const askTimeout = 30 * time.Second

// files lists a repository.
func (h hub) files(ctx context.Context, repo string) ([]File, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	next := h.base + "/api/models/" + repo + "/tree/main?recursive=true"
	var all []File
	for range 100 { // pages
		page, more, err := h.page(ctx, next)
		if err != nil {
			return nil, fmt.Errorf("list hf:%s: %w", repo, err)
		}
		all = append(all, page...)
		if more == "" {
			return all, nil
		}
		next = more
	}
	return nil, fmt.Errorf("list hf:%s: it has too many files", repo)
}

func (h hub) page(ctx context.Context, address string) (files []File, next string, err error) {
	resp, err := h.get(ctx, address, 0)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var entries []struct {
		Type string `json:"type"`
		Path string `json:"path"`
		Size int64  `json:"size"`
		LFS  *struct {
			SHA256 string `json:"oid"`
			Size   int64  `json:"size"`
		} `json:"lfs"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&entries); err != nil {
		return nil, "", fmt.Errorf("read answer: %w", err)
	}
	for _, e := range entries {
		if e.Type != "file" || !filepath.IsLocal(filepath.FromSlash(e.Path)) || strings.ContainsAny(e.Path, "\\:") {
			continue
		}
		f := File{Path: e.Path, Size: e.Size}
		if e.LFS != nil {
			f.SHA256, f.Size = e.LFS.SHA256, e.LFS.Size
		}
		files = append(files, f)
	}
	return files, nextPage(resp.Header.Get("Link"), address), nil
}

// nextPage reads `<URL>; rel="next"`. It stays on the host that was asked, since
// the token goes along.
func nextPage(link, asked string) string {
	for part := range strings.SplitSeq(link, ",") {
		target, rel, _ := strings.Cut(part, ";")
		if !strings.Contains(rel, `rel="next"`) {
			continue
		}
		base, err := url.Parse(asked)
		if err != nil {
			return ""
		}
		next, err := base.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
		if err != nil || next.Host != base.Host {
			return ""
		}
		return next.String()
	}
	return ""
}

// open asks for a file's content from an offset on. It returns where the content
// begins: 0 if the server does not continue.
func (h hub) open(ctx context.Context, repo, file string, offset int64) (io.ReadCloser, int64, error) {
	var escaped []string
	for part := range strings.SplitSeq(file, "/") {
		escaped = append(escaped, url.PathEscape(part))
	}
	resp, err := h.get(ctx, h.base+"/"+repo+"/resolve/main/"+strings.Join(escaped, "/"), offset)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		offset = 0
	}
	return resp.Body, offset, nil
}

// get asks; an answer that is not a success becomes an error.
func (h hub) get(ctx context.Context, address string, offset int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	req.Header.Set("User-Agent", "hal0")
	req.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden: // the hub says 401 of what does not exist, too
		return nil, fmt.Errorf("%w (or it does not exist)", ErrGated)
	}
	return nil, &statusError{resp.StatusCode}
}

// statusError is an answer that may be another one next time.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the hub answers %d", e.status) }
