package objects

import (
	"fmt"
	"strings"
)

const (
	maxKeyBytes     = 900 // of a whole key; S3 allows 1024 including the prefix
	maxElementBytes = 200 // of one element; file systems allow 255 including suffixes
)

// CheckKey returns an ErrBadKey unless key has the form that the package
// comment gives, with at most 900 bytes and 200 in an element.
func CheckKey(key string) error {
	if len(key) > maxKeyBytes {
		return fmt.Errorf("%w: %d bytes are over the limit of %d", ErrBadKey, len(key), maxKeyBytes)
	}
	if !startsWell(key) {
		return fmt.Errorf("%w: %q does not start with a letter or digit", ErrBadKey, key)
	}
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." {
			return fmt.Errorf("%w: %q has the element %q", ErrBadKey, key, element)
		}
		if len(element) > maxElementBytes {
			return fmt.Errorf("%w: an element of %d bytes is over the limit of %d", ErrBadKey, len(element), maxElementBytes)
		}
	}
	return checkCharacters(key)
}

// checkPrefix returns an ErrBadKey unless prefix can begin a key.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	// A prefix may end within an element, or behind a slash.
	if err := CheckKey(prefix + "0"); err != nil {
		return err
	}
	return nil
}

func startsWell(key string) bool {
	return key != "" && (key[0] >= 'a' && key[0] <= 'z' || key[0] >= '0' && key[0] <= '9')
}

func checkCharacters(key string) error {
	for i := range len(key) {
		c := key[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._/=-", c) >= 0 {
			continue
		}
		return fmt.Errorf("%w: %q has the byte %q", ErrBadKey, key, c)
	}
	return nil
}
