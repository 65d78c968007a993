package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"weir/internal/vfs"
)

const (
	rootKeysFile     = "root-keys.json"
	maxRootKeysBytes = 4 << 10
	minAccessKey     = 3
	minSecretKey     = 8
	maxKeyBytes      = 128
)

// KeyPair is an access key and its secret.
type KeyPair struct {
	AccessKey string
	Secret    Secret
}

// Keys finds key pairs.
type Keys interface {
	// Key returns the pair of an access key, and what it may do.
	Key(accessKey string) (KeyPair, *Grant, bool)
}

// Root is the Keys that knows the root pair only.
type Root struct{ Pair KeyPair }

// Key returns the root pair.
func (r Root) Key(accessKey string) (KeyPair, *Grant, bool) {
	if accessKey != r.Pair.AccessKey || accessKey == "" {
		return KeyPair{}, nil, false
	}
	return r.Pair, &Grant{All: true}, true
}

// rootKeys is the file in the data directory.
type rootKeys struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// LoadRootKeys takes the root pair from WEIR_ROOT_ACCESS_KEY and
// WEIR_ROOT_SECRET_KEY; else from the data directory, where it is generated
// once, readable by its owner only. Getenv is os.Getenv.
func LoadRootKeys(disk vfs.FS, dataDir string, getenv func(string) string) (KeyPair, error) {
	access, secret := getenv("WEIR_ROOT_ACCESS_KEY"), getenv("WEIR_ROOT_SECRET_KEY")
	if (access == "") != (secret == "") {
		return KeyPair{}, errors.New("root keys: set both WEIR_ROOT_ACCESS_KEY and WEIR_ROOT_SECRET_KEY, or none")
	}
	if access != "" {
		return checkPair(access, secret)
	}
	file := filepath.Join(dataDir, rootKeysFile)
	data, err := readPrivate(disk, file, maxRootKeysBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return generateRootKeys(disk, file)
	}
	if err != nil {
		return KeyPair{}, fmt.Errorf("root keys: %w", err)
	}
	var keys rootKeys
	if err := json.Unmarshal(data, &keys); err != nil {
		return KeyPair{}, fmt.Errorf("root keys: %s: %w", file, err)
	}
	return checkPair(keys.AccessKey, keys.SecretKey)
}

func checkPair(access, secret string) (KeyPair, error) {
	if len(access) < minAccessKey || len(access) > maxKeyBytes || len(secret) < minSecretKey || len(secret) > maxKeyBytes {
		return KeyPair{}, fmt.Errorf("root keys: the access key has %d to %d characters and the secret key %d to %d", minAccessKey, maxKeyBytes, minSecretKey, maxKeyBytes)
	}
	for _, c := range []byte(access) {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '/' || c == '"' || c == '\\' {
			return KeyPair{}, errors.New("root keys: the access key holds a character other than letters, digits and simple marks")
		}
	}
	return KeyPair{AccessKey: access, Secret: Secret{secret}}, nil
}

func generateRootKeys(disk vfs.FS, file string) (KeyPair, error) {
	pair := NewKeyPair()
	data, err := json.MarshalIndent(rootKeys{pair.AccessKey, pair.Secret.text}, "", "  ")
	if err != nil {
		return KeyPair{}, fmt.Errorf("generate root keys: %w", err)
	}
	if err := vfs.WriteAtomic(disk, file, append(data, '\n')); err != nil {
		return KeyPair{}, fmt.Errorf("generate root keys: %w", err)
	}
	return pair, nil
}

// NewKeyPair makes a random pair in the form that AWS tools expect: 20 capital
// letters and digits, and 40 characters.
func NewKeyPair() KeyPair {
	access, secret := make([]byte, 10), make([]byte, 30)
	rand.Read(access)
	rand.Read(secret)
	return KeyPair{
		AccessKey: "WEIR" + base32.StdEncoding.EncodeToString(access),
		Secret:    Secret{base64.RawURLEncoding.EncodeToString(secret)},
	}
}
