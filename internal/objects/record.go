package objects

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"weir/internal/vfs"
)

// The record of an object in a Dir is a text file beside it, a line for each
// version that the object's file may hold:
//
//	<CRC32C, 8 hex digits> <size, decimal> <ETag>
//
// There is one line, except between the steps of an overwrite: then the old
// version and the new one are both named, and the bytes tell which it is. The
// format is part of the layout on disk; do not change it.
const (
	recordSuffix   = "~crc"
	maxRecordBytes = 1024
	maxVersions    = 4 // lines in a record
)

// version is one line of a record.
type version struct {
	crc  uint32
	size int64
	etag string
}

func formatRecord(versions []version) []byte {
	var b []byte
	for _, v := range versions {
		b = fmt.Appendf(b, "%08x %d %s\n", v.crc, v.size, v.etag)
	}
	return b
}

func parseRecord(data []byte) ([]version, error) {
	var versions []version
	for line := range strings.Lines(string(data)) {
		var v version
		if len(versions) == maxVersions {
			return nil, fmt.Errorf("parse object record: over %d versions", maxVersions)
		}
		if _, err := fmt.Sscanf(line, "%08x %d %s\n", &v.crc, &v.size, &v.etag); err != nil {
			return nil, fmt.Errorf("parse object record %q: %w", line, err)
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// readRecord returns the versions named by the record of file, or none when
// there is no record or it is damaged: the object itself is then still served,
// without a checksum.
func readRecord(disk vfs.FS, file string) ([]version, error) {
	data, err := vfs.ReadFile(disk, file+recordSuffix, maxRecordBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	versions, err := parseRecord(data)
	if err != nil {
		return nil, nil
	}
	return versions, nil
}

func writeRecord(disk vfs.FS, file string, versions ...version) error {
	return vfs.WriteAtomic(disk, file+recordSuffix, formatRecord(versions))
}
