package streams

import "fmt"

// Kind says which exception of Kinesis an error is. The zero value stands for
// no error.
type Kind uint8

// The kinds, each with the exception that clients see.
const (
	NotFound         Kind = iota + 1 // ResourceNotFoundException
	InUse                            // ResourceInUseException
	LimitExceeded                    // LimitExceededException
	InvalidArgument                  // InvalidArgumentException
	Throttled                        // ProvisionedThroughputExceededException
	ExpiredIterator                  // ExpiredIteratorException
	ExpiredNextToken                 // ExpiredNextTokenException
	KMSDisabled                      // KMSDisabledException
	KMSInvalidState                  // KMSInvalidStateException
	KMSAccessDenied                  // KMSAccessDeniedException
	KMSNotFound                      // KMSNotFoundException
	KMSOptInRequired                 // KMSOptInRequired
	KMSThrottling                    // KMSThrottlingException
	Internal                         // InternalFailureException
	Validation                       // ValidationException
	AccessDenied                     // AccessDeniedException
	DryRun                           // DryRunOperationException
)

// String returns the name of the exception.
func (k Kind) String() string {
	switch k {
	case NotFound:
		return "ResourceNotFoundException"
	case InUse:
		return "ResourceInUseException"
	case LimitExceeded:
		return "LimitExceededException"
	case InvalidArgument:
		return "InvalidArgumentException"
	case Throttled:
		return "ProvisionedThroughputExceededException"
	case ExpiredIterator:
		return "ExpiredIteratorException"
	case ExpiredNextToken:
		return "ExpiredNextTokenException"
	case KMSDisabled:
		return "KMSDisabledException"
	case KMSInvalidState:
		return "KMSInvalidStateException"
	case KMSAccessDenied:
		return "KMSAccessDeniedException"
	case KMSNotFound:
		return "KMSNotFoundException"
	case KMSOptInRequired:
		return "KMSOptInRequired"
	case KMSThrottling:
		return "KMSThrottlingException"
	case Validation:
		return "ValidationException"
	case AccessDenied:
		return "AccessDeniedException"
	case DryRun:
		return "DryRunOperationException"
	default:
		return "InternalFailureException"
	}
}

// Error is what an operation answers when it fails: an exception of Kinesis
// with the text that AWS gives it.
type Error struct {
	Kind    Kind
	Message string
	// Err is the cause of an Internal error, for the log of the server. It is
	// never part of the answer.
	Err error
}

// Error returns the exception's name and text, and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// internal hides a cause that clients have no use for.
func internal(verb string, err error) *Error {
	return &Error{Kind: Internal, Message: "Internal service failure.", Err: fmt.Errorf("%s: %w", verb, err)}
}
