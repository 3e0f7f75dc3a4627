package demo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// transcribe hears nothing: it tells how much of a file it got. The file is not
// kept, so that it may be of any size.
func (s *Server) transcribe(w http.ResponseWriter, r *http.Request) {
	form, err := r.MultipartReader()
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "The body is not a form: "+err.Error())
		return
	}
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			refuse(w, http.StatusBadRequest, "invalid_request_error", "'file' is required")
			return
		case err != nil:
			refuse(w, http.StatusBadRequest, "invalid_request_error", "The form cannot be read: "+err.Error())
			return
		}
		if part.FormName() != "file" {
			continue
		}
		fmt.Fprintln(s.log, "demo engine: a file begins")
		sum := sha256.New()
		n, err := io.Copy(sum, part)
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid_request_error", "The file cannot be read: "+err.Error())
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // the last delimiter
		answer(w, map[string]string{"text": fmt.Sprintf("A script hears nothing. %d bytes, SHA-256 %x.", n, sum.Sum(nil))})
		return
	}
}
