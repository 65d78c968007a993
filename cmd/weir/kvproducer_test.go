package main_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"weir/fragments/mkv"
	"weir/internal/media"
	"weir/internal/testkit"
)

// putAck is a line of PutMedia's answer.
type putAck struct {
	EventType        string
	FragmentTimecode uint64
	FragmentNumber   string
	ErrorCode        string
}

// producer is a connection of PutMedia as the GStreamer sink of Kinesis Video
// makes it: HTTP/1.1 with a chunked body, signatures over hop-by-hop headers,
// a Host without port, and a wait for «100 Continue».
type producer struct {
	conn net.Conn
	body io.WriteCloser
	acks chan putAck // closed at the end of the answer
}

// signedNames are the headers that the sink signs, in order.
func signedNames() []string {
	return []string{"connection", "host", "transfer-encoding", "user-agent", "x-amz-date", "x-amzn-fragment-acknowledgment-required",
		"x-amzn-fragment-timecode-type", "x-amzn-producer-start-timestamp", "x-amzn-stream-name"}
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sign makes the Authorization header of the sink: the payload counts as empty.
func sign(w *testkit.Weir, headers map[string]string, now time.Time) string {
	const region = "us-east-1"
	day := now.Format("20060102")
	var canonical strings.Builder
	canonical.WriteString("POST\n/putMedia\n\n")
	for _, name := range signedNames() {
		canonical.WriteString(name + ":" + headers[name] + "\n")
	}
	names := strings.Join(signedNames(), ";")
	canonical.WriteString("\n" + names + "\n" + hexSum(""))
	scope := day + "/" + region + "/kinesisvideo/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + headers["x-amz-date"] + "\n" + scope + "\n" + hexSum(canonical.String())
	key := []byte("AWS4" + w.SecretKey)
	for _, part := range []string{day, region, "kinesisvideo", "aws4_request"} {
		key = hmacOf(key, part)
	}
	return "AWS4-HMAC-SHA256 Credential=" + w.AccessKey + "/" + scope + ", SignedHeaders=" + names + ", Signature=" + hex.EncodeToString(hmacOf(key, text))
}

// openProducer sends the head and waits for the server to take the body.
func openProducer(w *testkit.Weir, stream string) (*producer, error) {
	u, err := url.Parse(w.HTTP)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	headers := map[string]string{
		"connection": "keep-alive", "host": u.Hostname(), "transfer-encoding": "chunked",
		"user-agent": "AWS-SDK-KVS-CPP-CLIENT/3.5.0/1.6.0", "x-amz-date": now.Format("20060102T150405Z"),
		"x-amzn-fragment-acknowledgment-required": "1", "x-amzn-fragment-timecode-type": "ABSOLUTE",
		"x-amzn-producer-start-timestamp": fmt.Sprintf("%d.7", now.Unix()), "x-amzn-stream-name": stream,
	}
	var head bytes.Buffer
	head.WriteString("POST /putMedia HTTP/1.1\r\nAuthorization: " + sign(w, headers, now) + "\r\ncontent-type: application/json\r\nExpect: 100-continue\r\n")
	for _, name := range signedNames() {
		head.WriteString(name + ": " + headers[name] + "\r\n")
	}
	head.WriteString("\r\n")
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(head.Bytes()); err != nil {
		conn.Close()
		return nil, err
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		rest := make([]byte, 500)
		n, _ := in.Read(rest)
		conn.Close()
		return nil, fmt.Errorf("no leave to send: %q %s %w", line, rest[:n], err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		conn.Close()
		return nil, err
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		conn.Close()
		return nil, fmt.Errorf("answer %v: %w", answer, err)
	}
	_ = conn.SetDeadline(time.Time{})
	p := &producer{conn: conn, body: httputil.NewChunkedWriter(conn), acks: make(chan putAck, 1024)}
	go p.read(answer.Body)
	return p, nil
}

// read takes the acks apart.
func (p *producer) read(b io.Reader) {
	defer close(p.acks)
	lines := bufio.NewScanner(b)
	for lines.Scan() {
		var a putAck
		if json.Unmarshal(lines.Bytes(), &a) == nil {
			p.acks <- a
		}
	}
}

// finish ends the body and returns the acks to come.
func (p *producer) finish() []putAck {
	_ = p.body.Close()
	_, _ = io.WriteString(p.conn, "\r\n")
	var out []putAck
	for a := range p.acks {
		out = append(out, a)
		if a.EventType == "ERROR" {
			break
		}
	}
	p.conn.Close()
	return out
}

// syntheticHead is the beginning of a body with a track of pictures and one of
// data, whose bytes mean nothing.
func syntheticHead(t testing.TB) []byte {
	t.Helper()
	b := append(mkv.AppendEBML(nil), 0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	b = mkv.AppendInfo(b, 0)
	b, err := mkv.AppendTracks(b, []media.Track{
		{ID: 1, Codec: media.VP8, Timescale: 1000, Width: 320, Height: 240},
		{ID: 2, Codec: media.Opaque, CodecID: "D_TELEMETRY", Timescale: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// syntheticCluster is a fragment of 100 ms whose bytes follow from its time.
func syntheticCluster(at time.Time) (element, content []byte) {
	content = mkv.AppendCluster(nil, uint64(at.UnixMilli()), 0)[mkv.RawClusterHeadLen:]
	for i := range 5 {
		data := make([]byte, 200+int(at.UnixMilli()%300))
		for k := range data {
			data[k] = byte(int(at.UnixMilli()) * (k + i + 7) >> 3)
		}
		content = mkv.AppendSimpleBlock(content, 1, int16(20*i), i == 0, data)
	}
	content = mkv.AppendSimpleBlock(content, 2, 50, true, []byte("data of "+at.Format(time.RFC3339Nano)))
	element = append([]byte{0x1F, 0x43, 0xB6, 0x75, 0xFF}, content...)
	return element, content
}
