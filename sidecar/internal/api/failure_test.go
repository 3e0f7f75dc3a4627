package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func TestARefusalIsSentBeforeItIsLogged(t *testing.T) {
	logged := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, "req_1", wire.FamilyChat, wire.NewFailure(wire.CodeCrashLooping, "it failed"))
		<-logged // what logs hangs
	}))
	defer server.Close()
	defer close(logged)
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Content-Length") != strconv.Itoa(len(body)) {
		t.Errorf("%v, %d, Content-Length %s: %s", err, resp.StatusCode, resp.Header.Get("Content-Length"), body)
	}
}
