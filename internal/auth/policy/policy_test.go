package policy

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"
)

// TestPolicies runs the files of testdata: documents, and what they say about
// requests. Run with -rewrite to write down what they say now.
//
//	identity|resource          reads a document
//	ask [name=value …]         asks the last document, one request a line
//
// A request is an action and a resource, and then whatever of user, ip,
// secure, now, resource-tag, request-tag and tag-key matters.
func TestPolicies(t *testing.T) {
	datadriven.Walk(t, "testdata/table", func(t *testing.T, file string) {
		var d *Document
		datadriven.RunTest(t, file, func(t *testing.T, td *datadriven.TestData) string {
			var err error
			switch td.Cmd {
			case "identity":
				d, err = ParseIdentity(td.Input)
			case "resource":
				d, err = ParseResource(td.Input)
			case "ask":
				var out strings.Builder
				for line := range strings.Lines(td.Input) {
					fmt.Fprintf(&out, "%s\n", d.Evaluate(parseRequest(t, line)))
				}
				return out.String()
			default:
				t.Fatalf("%s: no such command", td.Pos)
			}
			if err != nil {
				return err.Error() + "\n"
			}
			return "ok\n"
		})
	})
}

func parseRequest(t *testing.T, line string) *Request {
	t.Helper()
	words := strings.Fields(line)
	r := &Request{
		Action: words[0], Resource: words[1], Account: "000000000000", User: "bob", Secure: true,
		Address: netip.MustParseAddr("10.1.2.3"), Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		ResourceTags: map[string]string{}, RequestTags: map[string]string{},
	}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		tag, text, _ := strings.Cut(value, "=")
		switch name {
		case "user":
			r.User = value
		case "account":
			r.Account = value
		case "ip":
			r.Address = netip.MustParseAddr(value)
		case "secure":
			r.Secure = value == "true"
		case "now":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				t.Fatal(err)
			}
			r.Now = at
		case "resource-tag":
			r.ResourceTags[tag] = text
		case "request-tag":
			r.RequestTags[tag] = text
		case "tag-key":
			r.TagKeys = append(r.TagKeys, value)
		default:
			t.Fatalf("%q: no such word", word)
		}
	}
	r.ARN = "arn:aws:iam::" + r.Account + ":user/" + r.User
	return r
}

// TestReadyMade reads the ready-made policies.
func TestReadyMade(t *testing.T) {
	for _, name := range Names() {
		text, ok := Named(name)
		if _, err := ParseIdentity(text); err != nil || !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := Named("root"); ok {
		t.Error("there is a policy that is none of the names")
	}
}

// TestPatternsAgainstPath holds patterns against package path, which knows the
// same wildcards for texts without slashes.
func TestPatternsAgainstPath(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.StringMatching(`[ab*?]{0,8}`).Draw(rt, "pattern")
		text := rapid.StringMatching(`[ab]{0,10}`).Draw(rt, "text")
		want, err := path.Match(p, text)
		if err != nil {
			rt.Fatal(err)
		}
		c, err := compile(p, true, true)
		if err != nil {
			rt.Fatal(err)
		}
		if got := c.matches(text, ""); got != want {
			rt.Fatalf("%q matches %q: %v, want %v", p, text, got, want)
		}
	})
}

// FuzzPolicy reads and asks whatever a client may send.
func FuzzPolicy(f *testing.F) {
	for _, name := range Names() {
		text, _ := Named(name)
		f.Add(text)
	}
	f.Add(`{"Statement":{"Effect":"Deny","Principal":{"AWS":["1"]},"NotAction":"a:b","Resource":"arn:${aws:username}*","Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["*a*b*"]}}}}`)
	f.Add(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":1e9}}}]}`)
	f.Add(strings.Repeat("[", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string) (*Document, error){ParseIdentity, ParseResource} {
			d, err := read(text)
			if err != nil {
				continue
			}
			r := &Request{Action: "kinesis:PutRecord", Resource: "arn:aws:kinesis:us-east-1:000000000000:stream/s", User: "u", TagKeys: []string{"aab"}}
			again, err := read(d.String())
			if err != nil || again.Evaluate(r) != d.Evaluate(r) {
				t.Fatalf("%q reads otherwise the second time: %v", text, err)
			}
		}
	})
}
