package rtsp

import (
	"errors"
	"io"

	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// orderly tells whether a session ended because its publisher wanted it to:
// it tore down, or closed its connection.
func orderly(err error) bool {
	var torn liberrors.ErrServerSessionTornDown
	var unused liberrors.ErrServerSessionNotInUse
	return err == nil || errors.As(err, &torn) || errors.As(err, &unused) || errors.Is(err, io.EOF)
}
