package mkv_test

import (
	"errors"
	"slices"
	"testing"

	"weir/fragments"
	"weir/fragments/mkv"
)

// FuzzParseTags reads tags as a store may have damaged them, and what it reads
// once more after writing it.
func FuzzParseTags(f *testing.F) {
	one := mkv.AppendTags(nil, mkv.SimpleTag{Name: "door", Value: "open"}, mkv.SimpleTag{Name: "AWS_KINESISVIDEO_NOTIFICATION"})
	f.Add([]byte{})
	f.Add(one)
	f.Add(append(slices.Clone(one), one...))
	f.Add(one[:len(one)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := mkv.ParseTags(b)
		if err != nil {
			if !errors.Is(err, fragments.ErrCorrupt) {
				t.Fatalf("an error of another sort: %v", err)
			}
			return
		}
		if len(tags) > mkv.MaxTagCount {
			return // of several elements; one may not have as many
		}
		again, err := mkv.ParseTags(mkv.AppendTags(nil, tags...))
		if err != nil || !slices.EqualFunc(tags, again, func(x, y mkv.SimpleTag) bool {
			return x.Name == y.Name && x.Value == y.Value && string(x.Binary) == string(y.Binary)
		}) {
			t.Fatalf("%v was read again as %v: %v", tags, again, err)
		}
	})
}
