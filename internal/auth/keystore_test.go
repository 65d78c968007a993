package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/auth/policy"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/testkit"
	"weir/internal/vfs"
)

// keyBench is a verifier with a store of keys and an audit log.
type keyBench struct {
	*testing.T
	*Verifier
	keys  *KeyStore
	disk  *vfs.Mem
	meta  *meta.Pebble
	clock *clock.Manual
	audit *Audit
}

func newKeyBench(t *testing.T) *keyBench {
	t.Helper()
	b := &keyBench{T: t, disk: vfs.NewMem(), clock: clock.NewManual(testTime())}
	ring, err := OpenKeyring(b.disk, "/")
	if err != nil {
		t.Fatal(err)
	}
	if b.meta, err = meta.Open(t.TempDir(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.meta.Close() })
	if b.audit, err = OpenAudit(b.disk, "/", b.clock, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b.open(ring)
	b.Verifier, err = NewVerifier(Options{Keys: b.keys, Keyring: ring, Streams: &streams{epoch: 1700000000000}, Clock: b.clock, Audit: b.audit})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *keyBench) open(ring *Keyring) {
	b.Helper()
	var err error
	b.keys, err = OpenKeyStore(KeyStoreOptions{
		Root: KeyPair{"ROOT", Secret{testSecret}}, Meta: b.meta, Keyring: ring, Clock: b.clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
}

// key makes a key with policies and logs in with it.
func (b *keyBench) key(name string, policies ...string) (KeyPair, Identity) {
	b.Helper()
	var list []Policy
	for _, text := range policies {
		if strings.HasPrefix(text, "{") {
			list = append(list, Policy{Document: json.RawMessage(text)})
		} else {
			list = append(list, Policy{Name: text})
		}
	}
	pair, _, err := b.keys.Create(name, "", list)
	if err != nil {
		b.Fatal(err)
	}
	return pair, b.login(pair)
}

func (b *keyBench) login(pair KeyPair) Identity {
	b.Helper()
	id, err := b.HTTP(request("GET", "/", "Authorization", basicHeader(pair.AccessKey, pair.Secret.Reveal())))
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func (b *keyBench) lines() []string {
	b.Helper()
	data, err := vfs.ReadFile(b.disk, "/audit.log", 64<<20)
	if err != nil {
		b.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// TestAuthorize compares decisions and their texts with the golden file.
func TestAuthorize(t *testing.T) {
	b := newKeyBench(t)
	_, bob := b.key("bob", `{"Statement": [
		{"Effect": "Allow", "Action": "kinesis:Put*", "Resource": "arn:aws:kinesis:*:*:stream/orders"},
		{"Effect": "Allow", "Action": "kinesis:Get*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}},
		{"Effect": "Deny", "Action": "kinesis:DeleteStream", "Resource": "*"}]}`)
	_, nobody := b.key("nobody")
	_, admin := b.key("boss", "admin")
	_, reader := b.key("reader", "read-only")
	root := b.login(KeyPair{"ROOT", Secret{testSecret}})
	resource, err := policy.ParseResource(`{"Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/nobody"}, "Action": "kinesis:GetRecords", "Resource": "*"},
		{"Effect": "Allow", "Principal": "*", "Action": "kinesis:DeleteStream", "Resource": "*"},
		{"Effect": "Deny", "Principal": "*", "Action": "kinesis:SplitShard", "Resource": "*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	const orders = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
	var out strings.Builder
	for _, c := range []struct {
		id Identity
		a  Access
	}{
		{bob, Access{Action: "kinesis:PutRecord", Resource: orders}},
		{bob, Access{Action: "kinesis:PutRecord", Resource: orders + "2"}},
		{bob, Access{Action: "kinesis:GetRecords", Resource: orders}},
		{bob, Access{Action: "kinesis:GetRecords", Resource: orders, ResourceTags: map[string]string{"team": "red"}}},
		{bob, Access{Action: "kinesis:DeleteStream", Resource: orders, Policy: resource}},
		{bob, Access{Action: "kinesis:ListStreams"}},
		{nobody, Access{Action: "kinesis:GetRecords", Resource: orders}},
		{nobody, Access{Action: "kinesis:GetRecords", Resource: orders, Policy: resource}},
		{nobody, Access{Action: "kinesis:DeleteStream", Resource: orders, Policy: resource}},
		{admin, Access{Action: "kinesis:SplitShard", Resource: orders}},
		{admin, Access{Action: "kinesis:SplitShard", Resource: orders, Policy: resource}},
		{root, Access{Action: "kinesis:SplitShard", Resource: orders, Policy: resource}},
		{reader, Access{Action: "kinesis:GetRecords", Resource: orders}},
		{reader, Access{Action: "kinesis:PutRecord", Resource: orders}},
		{Identity{}, Access{Action: "kinesis:GetRecords", Resource: orders, Policy: resource}},
	} {
		answer := "yes"
		if err := c.id.Authorize(c.a); err != nil {
			a := Refusal(err).AWS(false)
			answer = fmt.Sprintf("%d %s\n\t%s", a.Status, a.Code, a.Message)
		}
		fmt.Fprintf(&out, "%s %s\n\t%s\n", c.id.ARN(), c.a.Action, answer)
	}
	who := regexp.MustCompile(`"who":"WEIR[A-Z0-9]{16}"`)
	out.WriteString("\naudit.log\n" + who.ReplaceAllString(strings.Join(b.lines(), "\n"), `"who":"WEIR…"`) + "\n")
	testkit.Golden(t, "authorize.txt", out.String())
}

// TestNativeByPolicy asks the native API's questions of keys with policies.
func TestNativeByPolicy(t *testing.T) {
	b := newKeyBench(t)
	now := b.clock.Now()
	_, admin := b.key("a", "admin")
	_, publisher := b.key("p", "publish")
	_, player := b.key("v", "play")
	_, clips := b.key("c", `{"Statement": {"Effect": "Allow", "Action": "kinesisvideo:GetClip", "Resource": "arn:aws:kinesisvideo:*:*:stream/cam/*"}}`)
	_, nothing := b.key("n")
	for _, c := range []struct {
		name                                     string
		id                                       Identity
		admin, publish, play, hls, clip, another bool
	}{
		{"admin", admin, true, true, true, true, true, true},
		{"publish", publisher, false, true, false, false, false, false},
		{"play", player, false, false, true, true, true, true},
		{"clips", clips, false, false, true, false, true, false},
		{"nothing", nothing, false, false, false, false, false, false},
	} {
		got := fmt.Sprint(c.id.IsAdmin(), c.id.May(Publish, "cam"), c.id.May(Play, "cam"),
			c.id.MayPlay("cam", "hls", now, now), c.id.MayPlay("cam", "clip", now, now), c.id.May(Play, "door"))
		if want := fmt.Sprint(c.admin, c.publish, c.play, c.hls, c.clip, c.another); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
	expires := now.Add(time.Hour)
	if _, err := b.Issue(clips, Claims{Action: Play, Stream: "cam", Expires: expires}); err == nil {
		t.Error("who may take clips hands out tokens for all formats")
	}
	if _, err := b.Issue(clips, Claims{Action: Play, Stream: "cam", Format: "clip", Expires: expires}); err != nil {
		t.Error(err)
	}
}

// TestRevoke ends a key with everything that it was used to make.
func TestRevoke(t *testing.T) {
	b := newKeyBench(t)
	pair, id := b.key("boss", "admin")
	token, err := b.Issue(id, Claims{Action: Play, Stream: "cam", Expires: b.clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := b.LoginWithKey(w, request("POST", "/login"), pair.AccessKey, pair.Secret.Reveal()); err != nil {
		t.Fatal(err)
	}
	cookie := w.Result().Cookies()[0]
	tries := map[string]func() error{
		"the key": func() error {
			_, err := b.HTTP(request("GET", "/", "Authorization", basicHeader(pair.AccessKey, pair.Secret.Reveal())))
			return err
		},
		"its token":   func() error { _, err := b.HTTP(request("GET", "/?token="+token)); return err },
		"its session": func() error { _, err := b.HTTP(request("GET", "/", "Cookie", cookie.String())); return err },
	}
	for name, try := range tries {
		if err := try(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.keys.SetPolicies(pair.AccessKey, []Policy{{Name: "play"}}); err != nil {
		t.Fatal(err)
	}
	if id := b.login(pair); id.IsAdmin() || !id.May(Play, "cam") {
		t.Error("a new policy does not hold at once")
	}
	if _, err := b.keys.Revoke(pair.AccessKey); err != nil {
		t.Fatal(err)
	}
	for name, try := range tries {
		if try() == nil {
			t.Errorf("%s outlives the key", name)
		}
	}
	if _, err := b.keys.SetPolicies(pair.AccessKey, nil); err == nil {
		t.Error("a revoked key takes a policy")
	}
	if _, err := b.keys.Revoke("WEIRNOBODY"); !errors.Is(err, ErrNoKey) {
		t.Errorf("revoking nothing gives %v", err)
	}
}

// TestKeysOverRestart keeps keys, their use and their end, and no secret of
// theirs in clear.
func TestKeysOverRestart(t *testing.T) {
	b := newKeyBench(t)
	used, _ := b.key("used", "play")
	gone, _ := b.key("gone", "play")
	if _, err := b.keys.Revoke(gone.AccessKey); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(24 * time.Hour)
	b.login(used)
	if err := b.keys.Flush(); err != nil {
		t.Fatal(err)
	}
	for entry, err := range b.meta.Scan("", "\xff", false) {
		if err != nil || bytes.Contains(entry.Value, []byte(used.Secret.Reveal())) {
			t.Fatalf("%s holds a secret, or %v", entry.Key, err)
		}
	}
	before := b.keys.List()
	b.open(b.keyring)
	after := b.keys.List()
	if fmt.Sprint(before) != fmt.Sprint(after) || len(after) != 2 {
		t.Fatalf("%v became %v", before, after)
	}
	if i := slices.IndexFunc(after, func(k KeyInfo) bool { return k.AccessKey == used.AccessKey }); after[i].LastUsed != "2026-11-24" {
		t.Errorf("the use is forgotten: %+v", after)
	}
	if _, _, ok := b.keys.Key(used.AccessKey); !ok {
		t.Error("a key is lost over a restart")
	}
	if _, _, ok := b.keys.Key(gone.AccessKey); ok {
		t.Error("a revoked key is back after a restart")
	}
	b.clock.Advance(revokedFor)
	b.open(b.keyring)
	if n := len(b.keys.List()); n != 1 {
		t.Errorf("%d keys are listed long after one was revoked", n)
	}
}

// TestAuditBounds floods the log: lines of one address are limited, files are
// bounded, and what is left out is counted.
func TestAuditBounds(t *testing.T) {
	b := newKeyBench(t)
	for range 1000 {
		b.audit.Denied(Denial{Address: netip.MustParseAddr("192.0.2.1"), Code: "unauthorized"})
	}
	if n := len(b.lines()); n != denialBurst {
		t.Errorf("one address wrote %d lines", n)
	}
	b.clock.Advance(time.Minute)
	b.audit.Denied(Denial{Address: netip.MustParseAddr("192.0.2.1"), Code: "unauthorized"})
	if last := b.lines()[denialBurst]; !strings.Contains(last, `"suppressed":980`) {
		t.Errorf("the last line is %s", last)
	}
	for i := range 5000 {
		b.audit.Denied(Denial{Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Code: "unauthorized"})
	}
	if n := len(b.lines()); n > floodBurst+denialBurst+1 {
		t.Errorf("many addresses wrote %d lines", n)
	}
	totals := b.audit.Totals()
	if totals.Denied["unauthorized"] != 6001 || totals.Failed != 0 {
		t.Errorf("counted %+v", totals)
	}
	b.audit.limit = 10_000
	for i := range 2000 {
		b.audit.Changed(Change{Who: fmt.Sprint(i), Detail: strings.Repeat("x", 2000)})
	}
	entries, err := b.disk.ReadDir("/")
	if err != nil {
		t.Fatal(err)
	}
	logs := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "audit.log") {
			logs++
			if info, err := b.disk.Stat("/" + e.Name()); err != nil || info.Size() > 10_000 && e.Name() != "audit.log.4" && e.Name() != "audit.log.3" {
				t.Errorf("%s has %d bytes, %v", e.Name(), info.Size(), err)
			}
		}
	}
	if logs != auditFiles {
		t.Errorf("there are %d files", logs)
	}
	for _, line := range b.lines() {
		if !json.Valid([]byte(line)) {
			t.Fatalf("%q is no JSON", line)
		}
	}
	if err := b.audit.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestKeysUnderChange lets requests in while keys are made, changed, used and
// revoked: a key works from when it is made until it is revoked.
func TestKeysUnderChange(t *testing.T) {
	b := newKeyBench(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 4 { // few enough for the limit on failed logins
				pair, _, err := b.keys.Create("", "", []Policy{{Name: "play"}})
				if err != nil {
					t.Error(err)
					return
				}
				try := func() error {
					id, err := b.HTTP(request("GET", "/", "Authorization", basicHeader(pair.AccessKey, pair.Secret.Reveal())))
					if err == nil && id.IsAdmin() {
						t.Error("a player is an administrator")
					}
					return err
				}
				if err := errors.Join(try(), b.keys.Flush(), try()); err != nil {
					t.Error(err)
				}
				_, err = b.keys.SetPolicies(pair.AccessKey, nil)
				_, err2 := b.keys.Revoke(pair.AccessKey)
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
				}
				if try() == nil {
					t.Error("a revoked key lets somebody in")
				}
			}
		})
	}
	wg.Wait()
	for _, k := range b.keys.List() {
		if k.Revoked.IsZero() || k.LastUsed == "" {
			t.Errorf("%+v", k)
		}
	}
}
