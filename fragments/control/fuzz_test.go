package control

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// FuzzPage reads tokens that nobody made: each is refused or names a page of
// the list that it claims to be of.
func FuzzPage(f *testing.F) {
	const operation = "ListStreams"
	made := page{prefix: "cam"}
	f.Add(*made.token(operation, "cam-7"), "cam")
	f.Add(*made.token("ListSignalingChannels", "bell"), "")
	f.Add("", "")
	f.Add("abcd", "x")
	f.Add(base64.StdEncoding.EncodeToString([]byte("1\nListStreams\n\n\n")), "")
	f.Fuzz(func(t *testing.T, token, prefix string) {
		p, err := newPage(operation, nil, maxListed, &token, prefix)
		if err != nil || token == "" {
			return
		}
		if prefix != "" && p.prefix != prefix {
			t.Errorf("a list of %q goes on with %q", prefix, p.prefix)
		}
		again, err := newPage(operation, nil, maxListed, p.token(operation, p.after), prefix)
		if err != nil || again != p {
			t.Errorf("%+v comes back as %+v, %v", p, again, err)
		}
	})
}

// FuzzARN takes ARNs apart: what is taken is put together again the same.
func FuzzARN(f *testing.F) {
	here := place{"us-east-1", "000000000000"}
	f.Add(here.arn(streamKind, "cam", time.UnixMilli(1772366400000)))
	f.Add(here.unborn(channelKind, "bell"))
	f.Add("arn:aws:kinesisvideo:eu-west-1:000000000000:stream/cam/1")
	f.Add("arn:aws:kinesisvideo:us-east-1:000000000000:stream/cam")
	f.Add("arn:aws:kinesisvideo:us-east-1:000000000000:stream/cam/99999999999999999999")
	f.Fuzz(func(t *testing.T, arn string) {
		kind, name, created, ok := here.parse(arn)
		if !ok {
			return
		}
		digits := arn[strings.LastIndex(arn, "/")+1:]
		if again := here.arn(kind, name, time.UnixMilli(created)); again != arn && strings.TrimLeft(digits, "+-0") == digits {
			t.Errorf("%s comes back as %s", arn, again)
		}
	})
}
