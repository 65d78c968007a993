package streams

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/datastreams/shardlog"
	"weir/internal/auth"
)

// Limits and lifetimes of tokens.
const (
	maxToken          = 4 << 10 // characters of any token that is looked at
	maxIterator       = 512     // characters
	iteratorLifetime  = 5 * time.Minute
	nextTokenLifetime = 300 * time.Second
	tokenKeyBytes     = 32
	tokenKeyRecord    = "data streams token key"
)

// What a token is for, so that one kind is never taken for another.
const (
	iteratorToken byte = iota + 1
	pageToken
)

// errToken means that a token was not made here, or was changed.
var errToken = errors.New("token is not genuine")

// sealer makes tokens that clients can neither read nor change. The key lives
// in the metadata, so that tokens survive a restart.
type sealer struct{ aead cipher.AEAD }

// newTokenKey makes a key, sealed.
func newTokenKey(by Sealer) (string, error) {
	key := make([]byte, tokenKeyBytes)
	rand.Read(key)
	return by.Seal(auth.NewSecret(base64.StdEncoding.EncodeToString(key)), tokenKeyRecord)
}

func openSealer(by Sealer, sealed string) (*sealer, error) {
	secret, err := by.Open(sealed, tokenKeyRecord)
	if err != nil {
		return nil, fmt.Errorf("open token key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(secret.Reveal())
	if err != nil || len(key) != tokenKeyBytes {
		return nil, errors.New("open token key: it is damaged")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead}, err
}

func (s *sealer) seal(kind byte, plain []byte) string {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte{kind}))
}

func (s *sealer) open(kind byte, token string) ([]byte, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte{kind})
	if err != nil {
		return nil, errToken
	}
	return plain, nil
}

// cursor is what an iterator says: the next record to be read of a shard.
type cursor struct {
	uid     shardlog.ShardUID
	shard   uint32
	at      shardlog.Offset
	created int64 // ms
	stream  string
}

// A cursor is stored as
//
//	│ uid <8> │ shard <4> │ offset <8> │ created, ms <8> │ stream … │
const cursorBytes = 28

func (s *sealer) sealCursor(c cursor) string {
	b := make([]byte, cursorBytes, cursorBytes+maxName)
	binary.BigEndian.PutUint64(b, uint64(c.uid))
	binary.BigEndian.PutUint32(b[8:], c.shard)
	binary.BigEndian.PutUint64(b[12:], uint64(c.at))
	binary.BigEndian.PutUint64(b[20:], uint64(c.created))
	return s.seal(iteratorToken, append(b, c.stream...))
}

func (s *sealer) openCursor(token string) (cursor, error) {
	if len(token) > maxIterator {
		return cursor{}, errToken
	}
	b, err := s.open(iteratorToken, token)
	if err != nil || len(b) < cursorBytes {
		return cursor{}, errToken
	}
	return cursor{
		uid:     shardlog.ShardUID(binary.BigEndian.Uint64(b)),
		shard:   binary.BigEndian.Uint32(b[8:]),
		at:      shardlog.Offset(binary.BigEndian.Uint64(b[12:])),
		created: int64(binary.BigEndian.Uint64(b[20:])),
		stream:  string(b[cursorBytes:]),
	}, nil
}

// page is what a NextToken says.
type page struct {
	Of      string    `json:"of"`           // the operation
	ID      string    `json:"id,omitempty"` // of the stream
	Name    string    `json:"name,omitempty"`
	After   string    `json:"after"` // the last thing of the page before
	Limit   int       `json:"limit,omitempty"`
	Filter  string    `json:"filter,omitempty"`
	From    time.Time `json:"from,omitzero"` // of the filter
	Created int64     `json:"created"`       // ms
}

func (s *Streams) sealPage(p page) (string, error) {
	p.Created = s.now()
	plain, err := json.Marshal(p)
	if err != nil {
		return "", internal("encode a page token", err)
	}
	return s.tokens.seal(pageToken, plain), nil
}

// openPage reads a NextToken of an operation.
func (s *Streams) openPage(operation, token string) (page, error) {
	var p page
	plain, err := s.tokens.open(pageToken, token)
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	if err != nil || p.Of != operation {
		return page{}, fail(InvalidArgument, "NextToken is invalid.")
	}
	if s.now()-p.Created > nextTokenLifetime.Milliseconds() {
		return page{}, fail(ExpiredNextToken, "The specified NextToken has expired. Tokens expire %d seconds after they were issued.", int(nextTokenLifetime.Seconds()))
	}
	return p, nil
}

// TokenStream tells which stream a NextToken of ListShards belongs to, for
// whoever has to decide whether its shards may be listed. It fails as
// ListShards would.
func (s *Streams) TokenStream(token string) (Ref, error) {
	p, err := s.openPage(listShardsOp, token)
	if err != nil {
		return Ref{}, err
	}
	return Ref{Name: p.Name}, nil
}
