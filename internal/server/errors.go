package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"weir/internal/auth"
)

// Error is an error as clients of the native API see it:
//
//	{"error":{"code":"not_found","message":"there is no stream porch","field":"name"}}
//
// Code is for programs and stays the same; message is for people and says what
// to do; field names the part of the request that is wrong.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Invalid is 400: a value that cannot be.
func Invalid(field, format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "invalid", fmt.Sprintf(format, args...), field}
}

// NotFound is 404.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Code: "not_found", Message: fmt.Sprintf(format, args...)}
}

// Conflict is 409: the state of things does not allow it.
func Conflict(format string, args ...any) *Error {
	return &Error{Status: http.StatusConflict, Code: "conflict", Message: fmt.Sprintf(format, args...)}
}

// Forbidden is 403: the identity may not.
func Forbidden() *Error {
	return &Error{Status: http.StatusForbidden, Code: "forbidden", Message: "these credentials do not allow that"}
}

// Unavailable is 503: not now.
func Unavailable(format string, args ...any) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: fmt.Sprintf(format, args...)}
}

func internalError() *Error {
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Message: "something went wrong in Weir; its log has the request under the X-Request-Id of this answer"}
}

func tooLarge(limit int64) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("the body is over the limit of %d bytes", limit)}
}

// WriteError answers with err, be it an *Error or a refusal of package auth.
// Any other error is a failure of ours: its text stays in the log, to which
// the caller has written it.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *auth.Error
	if errors.As(err, &refusal) {
		refuse(w, r, refusal)
		return
	}
	var known *Error
	if !errors.As(err, &known) {
		known = internalError()
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(known.Status)
		return
	}
	WriteJSON(w, known.Status, struct {
		Error *Error `json:"error"`
	}{known})
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		// Only a type that cannot be encoded does this: a mistake of ours.
		http.Error(w, `{"error":{"code":"internal","message":"the answer could not be encoded"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(append(data, '\n'))
}
