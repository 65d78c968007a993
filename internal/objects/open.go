package objects

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"weir/internal/vfs"
)

const defaultRegion = "us-east-1"

// Access says how to get into a store.
type Access struct {
	Disk      vfs.FS // for file: stores
	AccessKey string // for s3: stores; both empty means the standard AWS chain
	SecretKey string
	// CreateBucket makes a missing bucket.
	CreateBucket bool
}

// Open opens the store that address names:
//
//	file:///var/lib/weir/store
//	s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1
//
// Without an endpoint it is Amazon's. A bucket may be away; see NewS3.
func Open(address string, access Access) (Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("store address: %w", err)
	}
	switch u.Scheme {
	case "file":
		return openFile(u, access)
	case "s3":
		o, err := s3Options(u, access)
		if err != nil {
			return nil, err
		}
		return NewS3(o)
	}
	return nil, fmt.Errorf("store address %q: use file:///path or s3://bucket/prefix?endpoint=http://host:port", address)
}

// CheckAddress tells what is wrong with the form of a store address, without
// opening the store.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("store address: %w", err)
	case u.Scheme == "s3":
		_, err := s3Options(u, Access{})
		return err
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path) && u.RawQuery == "":
		return nil
	}
	return fmt.Errorf("store address %q: use file:///path or s3://bucket/prefix?endpoint=http://host:port", address)
}

func openFile(u *url.URL, access Access) (Store, error) {
	if err := CheckAddress(u.String()); err != nil {
		return nil, err
	}
	return NewDir(access.Disk, filepath.Clean(u.Path))
}

func s3Options(u *url.URL, access Access) (S3Options, error) {
	o := S3Options{Bucket: u.Host, Region: defaultRegion, CreateBucket: access.CreateBucket}
	if o.Bucket == "" || u.User != nil {
		return o, fmt.Errorf("store address: use s3://bucket/prefix and give the keys in WEIR_STORE_ACCESS_KEY and WEIR_STORE_SECRET_KEY")
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := CheckKey(prefix); err != nil {
			return o, fmt.Errorf("store address: prefix: %w", err)
		}
		o.Prefix = prefix + "/"
	}
	for name, values := range u.Query() {
		switch name {
		case "endpoint":
			o.Endpoint = values[0]
		case "region":
			o.Region = values[0]
		default:
			return o, fmt.Errorf("store address: unknown parameter %q; endpoint and region are known", name)
		}
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://s3." + o.Region + ".amazonaws.com"
	}
	if access.AccessKey != "" || access.SecretKey != "" {
		o.Credentials = credentials.NewStaticV4(access.AccessKey, access.SecretKey, "")
	}
	return o, nil
}

// AccessFromEnvironment reads WEIR_STORE_ACCESS_KEY and WEIR_STORE_SECRET_KEY.
func AccessFromEnvironment(disk vfs.FS) Access {
	return Access{
		Disk:      disk,
		AccessKey: os.Getenv("WEIR_STORE_ACCESS_KEY"),
		SecretKey: os.Getenv("WEIR_STORE_SECRET_KEY"),
	}
}
