package auth

import (
	"fmt"
	"net/http"
	"strings"
)

// Codes of the AWS APIs.
const (
	awsMissing    = "MissingAuthenticationTokenException"
	awsIncomplete = "IncompleteSignatureException"
	awsInvalid    = "InvalidSignatureException"
	awsUnknownKey = "UnrecognizedClientException"
	awsDenied     = "AccessDeniedException"
	awsThrottled  = "ThrottlingException"
	awsBusy       = "ServiceUnavailable"
	awsTooLarge   = "RequestEntityTooLarge"
	awsBadBody    = "SerializationException"
)

// AWS is a refusal in the words of the AWS APIs.
type AWS struct {
	Status  int
	Code    string
	Message string
}

// AWS returns the refusal as an AWS service tells it. The services with JSON
// 1.1 and CBOR bodies answer most refusals with 400; those with paths, as
// Kinesis Video has, with 403.
func (e *Error) AWS(paths bool) AWS {
	a := AWS{Status: http.StatusBadRequest, Code: e.aws, Message: e.Message}
	if paths {
		a.Status = http.StatusForbidden
	}
	switch a.Code {
	case "":
		a.Code, a.Message = e.deriveAWS()
	case awsMissing:
		a.Message = "Missing Authentication Token"
	}
	switch e.Status {
	case http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable:
		a.Status = e.Status
	}
	return a
}

// deriveAWS finds the code for refusals that have nothing to do with
// signatures.
func (e *Error) deriveAWS() (code, message string) {
	switch {
	case e.Status == http.StatusUnauthorized:
		return awsUnknownKey, "The security token included in the request is invalid."
	case e.Status == http.StatusTooManyRequests:
		return awsThrottled, e.Message
	case e.Status == http.StatusForbidden:
		return awsDenied, e.Message
	case e.Status >= http.StatusInternalServerError:
		return "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."
	}
	return awsIncomplete, e.Message
}

func errIncomplete(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "incomplete_signature", Message: fmt.Sprintf(format, args...), aws: awsIncomplete}
}

func errSignature(format string, args ...any) *Error {
	return &Error{Status: http.StatusForbidden, Code: "invalid_signature", Message: fmt.Sprintf(format, args...), aws: awsInvalid}
}

// WrongService refuses a signature that was made for another service than the
// one that is asked.
func WrongService(names ...string) *Error {
	return errSignature("Credential should be scoped to correct service: '%s'. ", strings.Join(names, "' or '"))
}

func errMismatch() *Error {
	return errSignature("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func errSkew(format string, args ...any) *Error {
	return &Error{Status: http.StatusForbidden, Code: "signature_time", Message: fmt.Sprintf(format, args...), aws: awsInvalid}
}

func errBothPlaces() *Error {
	e := errAmbiguous()
	e.aws, e.Message = awsInvalid, "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
	return e
}

func errUnknownKey() *Error {
	return &Error{Status: http.StatusForbidden, Code: "unknown_key", Message: "The security token included in the request is invalid.", aws: awsUnknownKey}
}

func errSessionToken() *Error {
	return &Error{Status: http.StatusForbidden, Code: "session_token", aws: awsUnknownKey,
		Message: "The security token included in the request is invalid. Weir issues no session tokens: use a key pair alone, and unset AWS_SESSION_TOKEN."}
}

func errPayload(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_payload", Message: fmt.Sprintf(format, args...), aws: awsInvalid}
}

func errBusy() *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "unavailable", aws: awsBusy,
		Message: "The server holds as many request bodies as it may; try again in a moment."}
}

// TooLarge refuses a body over a limit of bytes.
func TooLarge(limit int64) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", aws: awsTooLarge,
		Message: fmt.Sprintf("the body is over the limit of %d bytes", limit)}
}

func errBody() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "incomplete_body", Message: "the body could not be read to its end", aws: awsBadBody}
}
