package auth

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// A body in signed chunks (Content-Encoding: aws-chunked). Each signature
// covers the one before it, the first that of the request:
//
//	size in hex ;chunk-signature= 64 hex digits \r\n  size bytes \r\n
//	…
//	0           ;chunk-signature= 64 hex digits \r\n  \r\n
//
// With trailers, the chunk of size 0 has no line end of its own; then follow
// lines of name:value, x-amz-trailer-signature where chunks are signed, and an
// empty line. Unsigned chunks have no ;chunk-signature=.
const (
	maxChunk       = 1 << 20 // bytes; a chunk is held until its signature is known
	maxChunkLine   = 256     // bytes of its head
	maxTrailers    = 4
	maxTrailerLine = 512 // bytes

	chunkAlgorithm   = "AWS4-HMAC-SHA256-PAYLOAD"
	trailerAlgorithm = "AWS4-HMAC-SHA256-TRAILER"
	chunkExtension   = "chunk-signature="
	trailerSignature = "x-amz-trailer-signature"

	// crc64NVMe is the polynomial of CRC-64/NVME, bits reversed.
	crc64NVMe = 0x9a6c9329ac4bc9b5
)

// chunkReader decodes such a body. It hands out no byte of a signed chunk
// before the chunk's signature has been compared.
type chunkReader struct {
	body     io.ReadCloser
	lines    *bufio.Reader
	key      signingKey
	stamp    string
	scope    string
	previous string // signature, in hex
	signed   bool
	trailers []string // names that the request announces, in lower case
	sum      hash.Hash
	sumName  string // the trailer that holds sum, "" for none

	left  int64  // bytes still to come of those announced
	chunk []byte // the current one; its bytes from at on are unread
	at    int
	err   error
}

// newChunkReader prepares the decoding and corrects what the request says of
// its length and encoding.
func newChunkReader(r *http.Request, k *signed, mode string) (*chunkReader, error) {
	length := r.Header["X-Amz-Decoded-Content-Length"]
	if len(length) != 1 {
		return nil, errPayload("A body in chunks needs one 'x-amz-decoded-content-length'.")
	}
	size, err := strconv.ParseUint(length[0], 10, 62)
	if err != nil {
		return nil, errPayload("The value of 'x-amz-decoded-content-length' is invalid: '%s'.", clip(length[0]))
	}
	c := &chunkReader{
		body: r.Body, lines: bufio.NewReaderSize(r.Body, 4<<10), key: k.key, stamp: k.stamp, scope: k.scope,
		previous: hex.EncodeToString(k.sum[:]), signed: mode != chunkedUnsigned, left: int64(size),
	}
	if mode != chunkedSigned {
		if err := c.announce(r.Header["X-Amz-Trailer"]); err != nil {
			return nil, err
		}
	}
	r.ContentLength = int64(size)
	withoutChunked(r.Header)
	return c, nil
}

// withoutChunked drops aws-chunked from the encodings of the content.
func withoutChunked(h http.Header) {
	var rest []string
	for _, value := range h["Content-Encoding"] {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
				rest = append(rest, part)
			}
		}
	}
	h.Del("Content-Encoding")
	if len(rest) > 0 {
		h.Set("Content-Encoding", strings.Join(rest, ", "))
	}
}

// announce takes the names of the trailers that will come.
func (c *chunkReader) announce(values []string) error {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" {
				continue
			}
			if len(c.trailers) == maxTrailers {
				return errPayload("The request announces more than %d trailers.", maxTrailers)
			}
			c.trailers = append(c.trailers, name)
			if sum := checksum(name); sum != nil {
				c.sum, c.sumName = sum, name
			}
		}
	}
	return nil
}

// checksum makes the hash of a checksum trailer, or nil for others.
func checksum(name string) hash.Hash {
	switch name {
	case "x-amz-checksum-crc32":
		return crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "x-amz-checksum-crc64nvme":
		return crc64.New(crc64.MakeTable(crc64NVMe))
	case "x-amz-checksum-sha1":
		return sha1.New()
	case "x-amz-checksum-sha256":
		return sha256.New()
	}
	return nil
}

// Close closes the body below.
func (c *chunkReader) Close() error { return c.body.Close() }

// Read hands out verified bytes. io.EOF means that every signature, the length
// and the checksum were right.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.err == nil && c.at == len(c.chunk) {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n := copy(p, c.chunk[c.at:])
	c.at += n
	return n, nil
}

func errChunk(what string) error {
	return errPayload("The chunks of the body are malformed: %s.", what)
}

// next reads one chunk; after the last it returns io.EOF.
func (c *chunkReader) next() error {
	size, signature, err := c.head()
	if err != nil {
		return err
	}
	if size > c.left {
		return errChunk("they are longer than announced")
	}
	c.left -= size
	if err := c.fill(int(size)); err != nil {
		return err
	}
	if c.signed && !c.verify(chunkAlgorithm, emptyHash+"\n", c.chunk, signature) {
		c.chunk = nil
		return errMismatch()
	}
	if c.sum != nil {
		c.sum.Write(c.chunk)
	}
	if size == 0 {
		return c.end()
	}
	return c.lineEnd()
}

// head reads the line before a chunk.
func (c *chunkReader) head() (int64, string, error) {
	line, err := c.line(maxChunkLine)
	if err != nil {
		return 0, "", err
	}
	digits, extension, found := strings.Cut(line, ";")
	if len(digits) == 0 || len(digits) > 8 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return 0, "", errChunk("a size is no hexadecimal number")
	}
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || size > maxChunk {
		return 0, "", errChunk("one is over the limit of " + strconv.Itoa(maxChunk) + " bytes")
	}
	signature, ok := strings.CutPrefix(extension, chunkExtension)
	if found != c.signed || c.signed && (!ok || len(signature) != 2*signatureBytes) {
		return 0, "", errChunk("one has no signature")
	}
	return size, signature, nil
}

// line reads up to a line end, which is \r\n and nothing else.
func (c *chunkReader) line(limit int) (string, error) {
	data, err := c.anyLine(limit)
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(data, "\r")
	if !ok {
		return "", errChunk("a line ends without \\r\\n")
	}
	return text, nil
}

// anyLine reads up to \n.
func (c *chunkReader) anyLine(limit int) (string, error) {
	data, err := c.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || err == nil && len(data) > limit:
		return "", errChunk("a line is too long")
	case err != nil:
		return "", cut(err)
	}
	text := string(data[:len(data)-1])
	if strings.Contains(strings.TrimSuffix(text, "\r"), "\r") {
		return "", errChunk("a line has a \\r in it")
	}
	return text, nil
}

// cut makes an error of an end that came too early.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errBody()
	}
	return err
}

// fill reads a chunk. The buffer grows with what comes.
func (c *chunkReader) fill(size int) error {
	c.at = 0
	if size <= cap(c.chunk) {
		c.chunk = c.chunk[:size]
		if _, err := io.ReadFull(c.lines, c.chunk); err != nil {
			c.chunk = nil
			return cut(err)
		}
		return nil
	}
	b := bytes.NewBuffer(c.chunk[:0])
	n, err := io.CopyN(b, c.lines, int64(size))
	c.chunk = b.Bytes()
	if err != nil || n != int64(size) {
		c.chunk = nil
		return cut(err)
	}
	return nil
}

// verify compares a signature of the chain and steps on.
func (c *chunkReader) verify(algorithm, middle string, data []byte, signature string) bool {
	hash := sha256.Sum256(data)
	text := algorithm + "\n" + c.stamp + "\n" + c.scope + "\n" + c.previous + "\n" + middle + hex.EncodeToString(hash[:])
	sum := hmacSum(c.key[:], text)
	want := hex.EncodeToString(sum[:])
	c.previous = want
	return hmac.Equal([]byte(want), []byte(signature))
}

func (c *chunkReader) lineEnd() error {
	text, err := c.line(2)
	if err == nil && text != "" {
		err = errChunk("one is longer than its size")
	}
	return err
}

// end reads what follows the last chunk.
func (c *chunkReader) end() error {
	if c.left > 0 {
		return errChunk("they are shorter than announced")
	}
	var err error
	if len(c.trailers) > 0 || !c.signed {
		err = c.readTrailers()
	} else {
		err = c.lineEnd()
	}
	if err != nil {
		return err
	}
	if _, err := c.lines.Peek(1); err != io.EOF {
		return errChunk("something follows the last")
	}
	return io.EOF
}

// readTrailers reads and verifies the trailers, which come in the order in
// which they were announced. Some clients end their lines with \n, as they are
// signed, and some put an empty line before the signature.
func (c *chunkReader) readTrailers() error {
	var canonical []byte
	signature := ""
	seen, empty := 0, 0
	for {
		line, err := c.anyLine(maxTrailerLine)
		if err != nil {
			return err
		}
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			if empty++; c.signed && signature == "" && empty == 1 {
				continue
			}
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || signature != "":
			return errChunk("a trailer is no trailer")
		case c.signed && name == trailerSignature:
			signature = value
		case seen == len(c.trailers) || name != c.trailers[seen]:
			return errChunk("a trailer was not announced")
		default:
			seen++
			canonical = append(append(append(append(canonical, name...), ':'), value...), '\n')
			if name == c.sumName && value != base64.StdEncoding.EncodeToString(c.sum.Sum(nil)) {
				return errPayload("Value for %s trailing header is invalid.", name)
			}
		}
	}
	if seen < len(c.trailers) {
		return errChunk("a trailer is missing")
	}
	if c.signed && !c.verify(trailerAlgorithm, "", canonical, signature) {
		return errMismatch()
	}
	return nil
}
