package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Login keeps the dashboard's password. It is login.Keeper.
type Login interface {
	// Check compares a password; where too many were wrong, retry says when the
	// next one is looked at.
	Check(password string) (ok bool, retry time.Duration)
	Session() (value string, until time.Time)
	Valid(session string) bool
}

const sessionCookie = "hal0_session"

// signedIn reports whether the request brings a session of the dashboard's.
func (s *Server) signedIn(r *http.Request) bool {
	c, err := r.Cookie(sessionCookie)
	return err == nil && s.cfg.Login != nil && s.cfg.Login.Valid(c.Value)
}

// session says whether who asks may come in.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"open": s.mayEnter(r), "local": local(r)})
}

// signIn takes the password and gives a session.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	id := requestID(r)
	refuse := func(code, message string, retry time.Duration) {
		f := wire.NewFailure(code, message)
		f.Details.RetryAfterS = int((retry + time.Second - 1) / time.Second)
		fail(w, id, wire.FamilyPlain, f)
	}
	var given struct {
		Password string `json:"password"`
	}
	if crossSite(r) {
		refuse(wire.CodeOrigin, "a page of another site may not use this", 0)
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&given); err != nil || s.cfg.Login == nil {
		refuse(wire.CodeInvalidJSON, "the body is not {\"password\": …}", 0)
		return
	}
	ok, retry := s.cfg.Login.Check(given.Password)
	switch {
	case retry > 0:
		refuse(wire.CodeRateLimited, "too many wrong passwords; wait a moment", retry)
		return
	case !ok:
		refuse(wire.CodeInvalidAPIKey, "that is not the password; `hal0 password` makes a new one", 0)
		return
	}
	value, until := s.cfg.Login.Session()
	s.setSession(w, r, value, until)
	w.WriteHeader(http.StatusNoContent)
}

// signOut forgets the session in the browser.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if crossSite(r) {
		fail(w, requestID(r), wire.FamilyPlain, wire.NewFailure(wire.CodeOrigin, "a page of another site may not use this"))
		return
	}
	s.setSession(w, r, "", time.Unix(1, 0))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) setSession(w http.ResponseWriter, r *http.Request, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", Expires: until,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
