package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
)

func TestReferences(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"none", `{"messages":[{"role":"user","content":"see http://x/y.png and file:///etc/passwd"}]}`, nil},
		{"chat", `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"http://x/a.png","detail":"low"}}]}]}`, []string{"http://x/a.png"}},
		{"chat, as a string", `{"messages":[{"content":[{"type":"image_url","image_url":"https://x/a"}]}]}`, []string{"https://x/a"}},
		{"inline", `{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AAAA"}},{"image_url":"DATA:x"}]}]}`, nil},
		{"base64 without data:", `{"image_url":{"url":"` + strings.Repeat("/9j/", 100) + `"}}`, nil},
		{"files and paths", `{"messages":[{"content":[{"image_url":{"url":"file:///etc/passwd"}},{"video_url":{"url":"/etc/passwd"}},{"audio_url":{"url":"cat.png"}},{"image_url":{"url":""}}]}]}`,
			[]string{"file:///etc/passwd", "/etc/passwd", "cat.png", ""}},
		{"responses", `{"input":[{"content":[{"type":"input_image","image_url":"http://x"},{"type":"input_file","file_url":"http://y"}]}]}`, []string{"http://x", "http://y"}},
		{"messages", `{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"http://x"}},{"type":"image","source":{"type":"base64","data":"AA"}}]}]}`, []string{"http://x"}},
		{"audio", `{"messages":[{"content":[{"input_audio":{"data":"AAAA","format":"wav"}},{"input_audio":{"url":"http://x"}}]}]}`, []string{"http://x"}},
		{"other case", `{"messages":[{"content":[{"Image_URL":{"Url":"http://x"}},{"\u017fource":{"URL":"http://y"}}]}]}`, []string{"http://x", "http://y"}},
		{"escaped", `{"image\u005furl":"ht\u0074p://x"}`, []string{"http://x"}},
		{"deeper", `{"messages":[{"content":[{"type":"tool_result","content":[{"image_url":{"url":{"url":"http://no"},"x":[{"image_url":"http://x"}]}}]}]}]}`, []string{"http://x"}},
		{"twice", `{"image_url":"http://x","image_url":"http://y"}`, []string{"http://x", "http://y"}},
		{"a source with more", `{"source":{"image_url":"http://a","url":"http://b","url":"http://c"}}`, []string{"http://b"}},
		{"a source without", `{"source":{"image_url":"http://a","url":"data:x"}}`, []string{"http://a"}},
		{"schemas", `{"tools":[{"function":{"parameters":{"properties":{"image_url":{"url":"http://x"}}}}}],"response_format":{"image_url":"http://x"}}`, nil},
	} {
		o, err := parseObject([]byte(c.body))
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []string
		for _, r := range references(o) {
			got = append(got, r.url)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAllowedDomains(t *testing.T) {
	domains := []string{"img.example", "*.cdn.example"}
	for address, want := range map[string]bool{
		"http://img.example/x": true, "https://IMG.example:8443/x": true, "https://img.example./": true, "https://a.b.cdn.example/": true,
		"https://cdn.example/": false, "https://evilcdn.example/": false, "https://img.example.evil/": false, "https://evil/img.example": false,
		"ftp://img.example/": false, "file://img.example/": false, "https://img.example@evil/": false, "https://u:p@img.example/": false, "img.example/x": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if allowed(u, domains) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false,
		"100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "::1": false, "::": false, "fe80::1": false,
		"fd00::1": false, "ff02::1": false, "::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false,
	} {
		a := netip.MustParseAddr(address)
		if public(a) != want {
			t.Errorf("%s: %v", address, !want)
		}
		if err := control("tcp", net.JoinHostPort(address, "80"), nil); (err == nil) != want {
			t.Errorf("control %s: %v", address, err)
		}
	}
}

// site is a server that every domain leads to.
func site(t *testing.T) fetcher {
	mux := http.NewServeMux()
	mux.HandleFunc("/a.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "PNG")
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "secret")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Write(make([]byte, mediaBytes+1))
	})
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://img.example/a.png", 302) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://evil.example/a.png", 302) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", 302) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return fetcher{dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}}
}

func TestFetch(t *testing.T) {
	f := site(t)
	for address, want := range map[string]error{
		"http://img.example/a.png": nil, "http://img.example/there": nil,
		"http://img.example/away": errMediaDomain, "http://img.example/round": errMediaDomain, "http://evil.example/a.png": errMediaDomain,
		"http://img.example/page": errMediaKind, "http://img.example/large": errMediaSize, "file:///etc/passwd": errMediaDomain, "/etc/passwd": errMediaDomain,
	} {
		got, err := f.fetch(t.Context(), []reference{{url: address}}, []string{"img.example"})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
		if want == nil && (len(got) != 1 || got[0].kind != "image/png" || string(got[0].data) != "PNG") {
			t.Errorf("%s: %+v", address, got)
		}
	}
	if _, err := f.fetch(t.Context(), []reference{{url: "http://img.example/nothing"}}, []string{"img.example"}); err == nil {
		t.Error("fetched what is not there")
	}
	if _, err := f.fetch(t.Context(), make([]reference, mediaCount+1), nil); !errors.Is(err, errMediaSize) {
		t.Errorf("too many: %v", err)
	}
}

// Without a dial of a test's own, names that lead home are not followed.
func TestFetchFollowsNoNameHome(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	home := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if _, err := (fetcher{}).fetch(t.Context(), []reference{{url: home}}, []string{"localhost"}); !errors.Is(err, errMediaPrivate) {
		t.Errorf("got %v", err)
	}
}

func TestLocalise(t *testing.T) {
	r := New(Config{})
	r.media = site(t)
	body := `{ "messages":[{"content":[{"image_url" : {"url":"http://img.example/a.png","detail":"low"}}, {"type":"image","source": {"type":"url","url":"http://img.example/there"}}, {"image_url":"http://img.example/a.png"}]}] }`
	o, err := parseObject([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	local, err := r.localise(t.Context(), o, []string{"img.example"})
	want := `{ "messages":[{"content":[{"image_url" : {"url":"data:image/png;base64,UE5H","detail":"low"}}, {"type":"image","source": {"type":"base64","media_type":"image/png","data":"UE5H"}}, {"image_url":"data:image/png;base64,UE5H"}]}] }`
	if err != nil || string(local.text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, local.text, want)
	}
	_, err = r.localise(t.Context(), o, nil)
	var refusal *pool.Refusal
	if !errors.As(err, &refusal) || refusal.Code != wire.CodeRemoteMedia {
		t.Errorf("got %v", err)
	}
	if strings.Contains(refusal.Message, "img.example") {
		t.Errorf("message %q names the address", refusal.Message)
	}
}

// FuzzReferences: the walk ends, and what it finds is where it says.
func FuzzReferences(f *testing.F) {
	f.Add([]byte(`{"messages":[{"content":[{"image_url":{"url":"http://x"}},{"source":{"url":"y"}}]}]}`))
	f.Add([]byte(`{"source":{"image_url":"http://a","url":"b","url":"c"}}`))
	f.Add([]byte(`{"image_url":[],"source":{},"x":[[[]],{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		refs := references(o)
		for _, r := range refs {
			if unquote(body[r.literal.start:r.literal.end]) != r.url {
				t.Fatalf("%q: reference %+v", body, r)
			}
		}
		fetched := make([]media, len(refs))
		local, err := parseObject(inlined(body, refs, fetched))
		if err != nil || len(references(local)) > 0 {
			t.Fatalf("%q became %q: %v", body, local.text, err)
		}
	})
}
