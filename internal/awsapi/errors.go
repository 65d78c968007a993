package awsapi

import (
	"errors"
	"net/http"
)

// ErrorShape is what a model says of one of its errors.
type ErrorShape struct {
	Code   string // the name on the wire
	Status int    // of the HTTP answer
	Server bool   // the fault lies with the server
	Shape  *Shape
}

// Exception is an error of a model. The generated error structures are
// exceptions.
type Exception interface {
	error
	Value
	ErrorShape() *ErrorShape
}

// Error is an error that is in no model, because every service has it.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// SerializationError says that a body does not have the form of its shape.
func SerializationError(message string) *Error {
	return &Error{Code: "SerializationException", Message: message, Status: http.StatusBadRequest}
}

// ValidationError says that an input breaks constraints.
func ValidationError(message string) *Error {
	return &Error{Code: "ValidationException", Message: message, Status: http.StatusBadRequest}
}

// UnknownOperation says that no operation has that name.
func UnknownOperation() *Error {
	return &Error{Code: "UnknownOperationException", Status: http.StatusBadRequest}
}

// internalFailure hides what went wrong inside from a client.
func internalFailure() *Error {
	return &Error{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Status: http.StatusInternalServerError}
}

// Failure is the answer to a request that failed.
type Failure struct {
	Status int
	Header http.Header
	Body   []byte
}

// EncodeFailure writes err as a service of protocol p would, in the encoding e.
// An error that is neither an [Exception] nor an [Error] becomes
// InternalFailure, and nothing of its text is shown.
func EncodeFailure(p Protocol, e Encoding, err error) Failure {
	code, status, fields := describe(p, err)
	header := http.Header{"Content-Type": {e.ContentType()}}
	if p == RESTJSON {
		header.Set("x-amzn-ErrorType", code)
		code = ""
	}
	body, err := encodeError(e, code, fields)
	if err != nil {
		return EncodeFailure(p, e, internalFailure())
	}
	return Failure{Status: status, Header: header, Body: body}
}

// describe finds the code and status of an error, and a function that writes
// its members.
func describe(p Protocol, err error) (code string, status int, fields func(*Writer) error) {
	if x, ok := errors.AsType[Exception](err); ok {
		s := x.ErrorShape()
		return s.Code, s.Status, func(enc *Writer) error { return enc.members(s.Shape, x) }
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = internalFailure()
	}
	name := "message"
	if p == RESTJSON || e.Code == "SerializationException" {
		name = "Message"
	}
	return e.Code, e.Status, func(enc *Writer) error {
		if e.Message != "" {
			enc.Key(name)
			enc.Text(e.Message)
		}
		return nil
	}
}

// ErrorCode is the code that an error has in its answer.
func ErrorCode(err error) string {
	code, _, _ := describe(JSON11, err)
	return code
}
