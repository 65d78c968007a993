package streams

import (
	"context"
	"regexp"
	"time"
)

// Limits of data keys.
const (
	maxKeyID        = 2048
	dataKeyLifetime = 30 * 24 * time.Hour
	maxDataKeys     = 1000 // of a stream: rows of about 200 bytes
)

// keyIDForm are the forms that a key may be named in: an id, an alias, or an
// ARN of either.
const keyIDForm = `^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?(key/|alias/)?[a-zA-Z0-9/_-]+$`

// StartEncryption stores records encrypted from now on. Called again, it makes
// a new data key. Weir keeps the data keys itself, sealed by its master key;
// the name of the key is remembered, and any name of a right form will do.
func (s *Streams) StartEncryption(ctx context.Context, ref Ref, t EncryptionType, keyID string) error {
	return s.alter(ctx, ref, func(_ *view, row *streamRow) error {
		if err := checkEncryption(t, keyID); err != nil {
			return err
		}
		row.KeyChanges = lastDay(row.KeyChanges, s.now())
		if s.opts.Limits && len(row.KeyChanges) >= awsKeyChanges {
			return fail(LimitExceeded, "Stream %s under account %s can not start its encryption more than %d times within 24 hours.", row.Name, s.opts.Account, awsKeyChanges)
		}
		if len(row.DataKeys) >= maxDataKeys {
			return fail(LimitExceeded, "Stream %s under account %s has %d data keys already.", row.Name, s.opts.Account, len(row.DataKeys))
		}
		row.KeyChanges = append(row.KeyChanges, s.now())
		row.Encryption, row.KeyID = KMS, keyID
		return s.addDataKey(row)
	})
}

// addDataKey makes a new data key. The caller holds admin.
func (s *Streams) addDataKey(row *streamRow) error {
	st, err := s.find(Ref{Name: row.Name})
	if err != nil {
		return err
	}
	key, err := st.keys.newRow(s.opts.Sealer, row, s.now())
	if err != nil {
		return internal("make a data key", err)
	}
	row.DataKeys = append(row.DataKeys, key)
	if err := st.keys.load(row, s.opts.Sealer); err != nil {
		return internal("make a data key", err)
	}
	return nil
}

// StopEncryption stores records as they are from now on. What is stored
// encrypted stays so, and can be read.
func (s *Streams) StopEncryption(ctx context.Context, ref Ref, t EncryptionType, keyID string) error {
	return s.alter(ctx, ref, func(_ *view, row *streamRow) error {
		if err := checkEncryption(t, keyID); err != nil {
			return err
		}
		row.Encryption, row.KeyID = None, ""
		return nil
	})
}

func checkEncryption(t EncryptionType, keyID string) error {
	if t != KMS {
		return fail(Validation, "1 validation error detected: Value '%s' at 'encryptionType' failed to satisfy constraint: Member must satisfy enum value set: [KMS]", t)
	}
	if keyID == "" || len(keyID) > maxKeyID {
		return fail(Validation, "1 validation error detected: Value at 'keyId' failed to satisfy constraint: Member must have length between 1 and %d", maxKeyID)
	}
	if !regexp.MustCompile(keyIDForm).MatchString(keyID) {
		return fail(KMSNotFound, "Invalid keyId %s", keyID)
	}
	return nil
}

// rotateKey gives a stream a new data key when its newest is a month old.
func (s *Streams) rotateKey(st *stream) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	v := st.view.Load()
	n := len(v.row.DataKeys)
	if v.gone || v.cipher == nil || n == 0 || n >= maxDataKeys || s.now()-v.row.DataKeys[n-1].Created < dataKeyLifetime.Milliseconds() {
		return nil
	}
	row := v.row.clone()
	if err := s.addDataKey(row); err != nil {
		return err
	}
	return s.save(st, row, nil)
}
