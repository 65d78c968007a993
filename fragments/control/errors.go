package control

import (
	"errors"
	"fmt"
	"net/http"

	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/awsapi"
)

// The errors of the models, by the names and statuses that all services of
// Kinesis Video have for them.

func exception(code string, status int, format string, args ...any) error {
	return &awsapi.Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return exception("ResourceNotFoundException", http.StatusNotFound, format, args...)
}

func invalid(format string, args ...any) error {
	return exception("InvalidArgumentException", http.StatusBadRequest, format, args...)
}

func inUse(format string, args ...any) error {
	return exception("ResourceInUseException", http.StatusBadRequest, format, args...)
}

func versionMismatch(kind, name string) error {
	return exception("VersionMismatchException", http.StatusBadRequest,
		"The version of the %s %s is another: describe it, and name the version that it has now.", kind, name)
}

func noDataRetention(name string) error {
	return exception("NoDataRetentionException", http.StatusBadRequest,
		"The stream %s keeps no data. Give it a retention with UpdateDataRetention first.", name)
}

func tooManyTags() error {
	return exception("TagsPerResourceExceededLimitException", http.StatusBadRequest, "A resource may have at most %d tags.", maxTags)
}

func rateExceeded() error {
	return exception("ClientLimitExceededException", http.StatusBadRequest, "Rate exceeded.")
}

// Failure turns refusals and errors of the catalogue into those of the models.
// It is the Failure of every service of Kinesis Video.
func Failure(err error) error {
	var denied *auth.Error
	if errors.As(err, &denied) {
		a := denied.AWS(true)
		return exception(a.Code, a.Status, "%s", a.Message)
	}
	var field *catalogue.FieldError
	switch {
	case errors.As(err, &field):
		return invalid("%v", field)
	case errors.Is(err, catalogue.ErrNotFound):
		return notFound("The requested stream is not found or not active.")
	case errors.Is(err, catalogue.ErrExists):
		return inUse("The stream already exists.")
	case errors.Is(err, catalogue.ErrConflict):
		return inUse("The stream is being changed or deleted.")
	case errors.Is(err, catalogue.ErrTooMany):
		return exception("AccountStreamLimitExceededException", http.StatusBadRequest, "%v", err)
	}
	return err
}
