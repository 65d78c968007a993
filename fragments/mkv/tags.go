package mkv

import (
	"fmt"

	"weir/fragments"
)

// ParseTags reads Tags elements that follow each other, as those of a raw
// fragment do, and returns their text tags in order.
func ParseTags(b []byte) ([]SimpleTag, error) {
	var out []SimpleTag
	if len(b) > fragments.MaxBytes {
		return nil, fmt.Errorf("%d bytes of tags exceed %d", len(b), fragments.MaxBytes)
	}
	err := children(b, func(id uint32, body []byte) error {
		if id != idTags {
			return corrupt("element %X among tags", id)
		}
		e, err := parseTags(body)
		if err != nil {
			return err
		}
		for _, group := range e.(Tags) {
			out = append(out, group.Simple...)
		}
		return nil
	})
	return out, err
}
