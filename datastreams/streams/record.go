package streams

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"weir/datastreams/shardlog"
)

// How a record is stored; docs/formats/record.md describes it. These constants
// are part of the format; do not change them.
const (
	formPlain        = 1 << 4
	formSealed       = 2 << 4
	flagExplicitHash = 1 << 0

	maxPartitionKey     = 256  // characters
	maxPartitionKeyByte = 1024 // in UTF-8
	hashKeyBytes        = 16
	plainHeadBytes      = 1 + 2                              // flags and the key's length, at most
	sealedHeadBytes     = 1 + 4 + nonceBytes                 // flags, key number, nonce
	maxRecordBytes      = 10 << 20                           // data and partition key of any record
	maxStoredBytes      = maxRecordBytes + maxStoredOverhead // of a record as it is stored
	maxStoredOverhead   = sealedHeadBytes + plainHeadBytes + 16 + tagBytes
)

// errRecord means that stored bytes are not a record.
var errRecord = errors.New("stored record is damaged")

// appendInner appends what stands in front of the data, without the flags: the
// partition key and, where there is one, the explicit hash key.
func appendInner(b []byte, e *Entry, explicit *HashKey) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.PartitionKey)))
	b = append(b, e.PartitionKey...)
	if explicit != nil {
		k := explicit.bytes()
		b = append(b, k[:]...)
	}
	return b
}

// flags is the first byte of a record.
func flags(explicit *HashKey, encrypted bool) byte {
	f := byte(formPlain)
	if encrypted {
		f = formSealed
	}
	if explicit != nil {
		f |= flagExplicitHash
	}
	return f
}

// aad binds an encrypted record to its shard. The log's name of a shard is used
// once only, so that it stands for the stream too; the stream's key does
// besides.
func aad(b []byte, uid shardlog.ShardUID, flags byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(uid)), flags)
}

// appendSealed appends a whole record, encrypted.
func appendSealed(b []byte, k *dataKey, uid shardlog.ShardUID, e *Entry, explicit *HashKey) []byte {
	start := len(b)
	f := flags(explicit, true)
	b = append(b, f)
	b = binary.BigEndian.AppendUint32(b, k.number)
	b = append(b, make([]byte, nonceBytes)...)
	nonce := b[start+5 : start+sealedHeadBytes]
	k.nonce(nonce)
	plain := len(b)
	b = appendInner(b, e, explicit)
	b = append(b, e.Data...)
	var extra [9]byte
	sealed := k.aead.Seal(b[plain:plain], nonce, b[plain:], aad(extra[:0], uid, f))
	if &sealed[0] == &b[:plain+1][plain] {
		return b[:plain+len(sealed)]
	}
	return append(b[:plain], sealed...)
}

// sealedBytes is how much appendSealed appends at most.
func sealedBytes(e *Entry) int {
	return sealedHeadBytes + plainHeadBytes + len(e.PartitionKey) + hashKeyBytes + len(e.Data) + tagBytes
}

// decodeRecord reads a stored record. What it returns is part of stored, unless
// that is encrypted.
func decodeRecord(stored []byte, uid shardlog.ShardUID, keys *keyring) (Record, error) {
	if len(stored) == 0 || len(stored) > maxStoredBytes {
		return Record{}, errRecord
	}
	f, rest := stored[0], stored[1:]
	r := Record{Encryption: None}
	switch f &^ flagExplicitHash {
	case formPlain:
	case formSealed:
		if len(rest) < sealedHeadBytes-1 {
			return Record{}, errRecord
		}
		key, err := keys.find(binary.BigEndian.Uint32(rest))
		if err != nil {
			return Record{}, err
		}
		nonce, sealed := rest[4:4+nonceBytes], rest[4+nonceBytes:]
		var extra [9]byte
		if rest, err = key.aead.Open(nil, nonce, sealed, aad(extra[:0], uid, f)); err != nil {
			return Record{}, fmt.Errorf("%w: it does not decrypt with key %d", errRecord, key.number)
		}
		r.Encryption = KMS
	default:
		return Record{}, errRecord
	}
	return r, r.decodeInner(f, rest)
}

func (r *Record) decodeInner(f byte, rest []byte) error {
	n, used := binary.Uvarint(rest)
	if used <= 0 || n > maxPartitionKeyByte || int(n) > len(rest)-used {
		return errRecord
	}
	rest = rest[used:]
	if n > 0 {
		r.PartitionKey = unsafe.String(&rest[0], int(n)) // stored bytes never change
	}
	rest = rest[n:]
	if f&flagExplicitHash != 0 {
		if len(rest) < hashKeyBytes {
			return errRecord
		}
		rest = rest[hashKeyBytes:]
	}
	r.Data = rest
	return nil
}
