package api

import (
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hashicorp/go-hclog"
)

// contained keeps a defect in one request from ending the process without a
// line in the log. A deliberate abort goes on: it closes the connection.
func contained(log hclog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.Error("handler failed", "path", r.URL.Path, "request_id", requestID(r), "panic", v, "stack", string(debug.Stack()))
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// unclean answers paths that http.ServeMux would redirect to their cleaned form
// (dot segments, double slashes): a redirected POST is a lost POST.
func unclean(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" || r.URL.Path[0] != '/' || cleaned(r.URL.Path) != r.URL.Path {
			f := wire.NewFailure(wire.CodePath, "the path holds a dot segment or an empty segment")
			fail(w, requestID(r), wire.FamilyPlain, f)
			return
		}
		next.ServeHTTP(w, r)
	})
}
