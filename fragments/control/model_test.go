package control

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"testing"
)

// modelStream is what a stream should be.
type modelStream struct {
	state     string
	version   string // as last described
	renewed   bool   // the version must have become another
	hours     int
	mediaType string
	tier      string
	tags      map[string]string
	notified  bool
}

// walk plays random operations against the control plane and against a model
// of it.
type walk struct {
	*rig
	random  *rand.Rand
	streams map[string]*modelStream
	log     []string
}

// TestModel runs random operations on a few streams, with restarts, and
// compares what DescribeStream, ListStreams and the rest show after each.
func TestModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &walk{rig: newRig(t), random: rand.New(rand.NewPCG(seed, 1)), streams: map[string]*modelStream{}}
			for range 250 {
				m.step()
				m.check()
				if t.Failed() {
					for _, line := range m.log {
						t.Log(line)
					}
					return
				}
			}
		})
	}
}

// ask sends a request and returns the code of the answer, "" for success.
func (m *walk) ask(operation string, body map[string]any) (string, *httptest.ResponseRecorder) {
	text, err := json.Marshal(body)
	if err != nil {
		m.t.Fatal(err)
	}
	w := m.call(operation, string(text))
	code := w.Header().Get("X-Amzn-Errortype")
	m.log = append(m.log, fmt.Sprintf("%s %s: %d %s", operation, text, w.Code, code))
	return code, w
}

// want asks, and compares the code.
func (m *walk) want(code, operation string, body map[string]any) bool {
	m.t.Helper()
	if got, w := m.ask(operation, body); got != code {
		m.t.Errorf("%s answers %q, want %q: %s", operation, got, code, w.Body)
	}
	return code == ""
}

const (
	missing  = "ResourceNotFoundException"
	busy     = "ResourceInUseException"
	mismatch = "VersionMismatchException"
	argument = "InvalidArgumentException"
	unkept   = "NoDataRetentionException"
)

// step does one thing.
func (m *walk) step() {
	name := string(rune('a' + m.random.IntN(4)))
	s := m.streams[name]
	switch m.random.IntN(11) {
	case 0, 1:
		m.create(name, s)
	case 2:
		m.update(name, s)
	case 3:
		m.retention(name, s)
	case 4:
		m.tier(name, s)
	case 5:
		m.tag(name, s)
	case 6:
		m.notify(name, s)
	case 7:
		m.remove(name, s)
	case 8:
		m.restart()
		m.log = append(m.log, "restart")
	default:
		m.settle()
	}
}

// settle lets the worker work.
func (m *walk) settle() {
	m.work()
	m.log = append(m.log, "work")
	maps.DeleteFunc(m.streams, func(_ string, s *modelStream) bool {
		gone := s.state == "DELETING"
		s.state = "ACTIVE"
		return gone
	})
}

func (m *walk) create(name string, s *modelStream) {
	code := ""
	if s != nil {
		code = busy
	}
	hours := m.random.IntN(3)
	if m.want(code, "CreateStream", map[string]any{"StreamName": name, "DataRetentionInHours": hours, "Tags": map[string]string{"made": name}}) {
		m.streams[name] = &modelStream{state: "CREATING", renewed: true, hours: hours, tier: "HOT", tags: map[string]string{"made": name}}
	}
}

// expect is the code of a change to a stream as it is; an operation that locks
// names its version or another.
func (m *walk) expect(s *modelStream, locks bool) (code, version string) {
	switch {
	case s == nil:
		return missing, "0"
	case s.state == "DELETING":
		// Only what is not locked tells that there is no such stream any more.
		return missing, s.version
	case s.state != "ACTIVE":
		return busy, s.version
	case locks && m.random.IntN(4) == 0:
		return mismatch, "0"
	}
	return "", s.version
}

func (m *walk) update(name string, s *modelStream) {
	code, version := m.expect(s, true)
	kind := fmt.Sprintf("video/%d", m.random.IntN(100))
	if m.want(code, "UpdateStream", map[string]any{"StreamName": name, "CurrentVersion": version, "MediaType": kind}) {
		s.mediaType, s.state, s.renewed = kind, "UPDATING", true
	}
}

func (m *walk) retention(name string, s *modelStream) {
	code, version := m.expect(s, true)
	operation, by := "INCREASE_DATA_RETENTION", 1+m.random.IntN(3)
	change := by
	if m.random.IntN(2) == 0 {
		operation, change = "DECREASE_DATA_RETENTION", -by
	}
	if code == "" && s.hours+change < 0 {
		code = argument
	}
	body := map[string]any{"StreamName": name, "CurrentVersion": version, "Operation": operation, "DataRetentionChangeInHours": by}
	if m.want(code, "UpdateDataRetention", body) {
		s.hours, s.state, s.renewed = s.hours+change, "UPDATING", true
	}
}

func (m *walk) tier(name string, s *modelStream) {
	code, version := m.expect(s, true)
	tier := []string{"HOT", "WARM"}[m.random.IntN(2)]
	body := map[string]any{"StreamName": name, "CurrentVersion": version, "StreamStorageConfiguration": map[string]string{"DefaultStorageTier": tier}}
	if m.want(code, "UpdateStreamStorageConfiguration", body) {
		s.tier, s.state, s.renewed = tier, "UPDATING", true
	}
}

// tag works in every state but DELETING.
func (m *walk) tag(name string, s *modelStream) {
	code := ""
	if s == nil || s.state == "DELETING" {
		code = missing
	}
	key := fmt.Sprint(m.random.IntN(5))
	if m.random.IntN(2) == 0 {
		if m.want(code, "UntagStream", map[string]any{"StreamName": name, "TagKeyList": []string{key}}) {
			delete(s.tags, key)
		}
		return
	}
	if m.want(code, "TagStream", map[string]any{"StreamName": name, "Tags": map[string]string{key: "v"}}) {
		s.tags[key] = "v"
	}
}

func (m *walk) notify(name string, s *modelStream) {
	code, _ := m.expect(s, false)
	if m.random.IntN(2) == 0 {
		if m.want(code, "UpdateNotificationConfiguration", map[string]any{"StreamName": name}) {
			s.notified = false
		}
		return
	}
	if code == "" && s.hours == 0 {
		code = unkept
	}
	body := map[string]any{"StreamName": name, "NotificationConfiguration": map[string]any{
		"Status": "ENABLED", "DestinationConfig": map[string]string{"Uri": "https://hooks.example/"}}}
	if m.want(code, "UpdateNotificationConfiguration", body) {
		s.notified = true
	}
}

func (m *walk) remove(name string, s *modelStream) {
	found, err := m.api.streams.Find(&name, nil)
	if (err == nil) != (s != nil) {
		m.t.Fatalf("stream %s: %v", name, err)
	}
	if s == nil {
		return
	}
	code, version := m.expect(s, true)
	if m.want(code, "DeleteStream", map[string]any{"StreamARN": found.ARN, "CurrentVersion": version}) {
		s.state = "DELETING"
	}
}

// check compares everything that can be read.
func (m *walk) check() {
	var listed struct{ StreamInfoList []shownStream }
	_, w := m.ask("ListStreams", map[string]any{})
	m.log = m.log[:len(m.log)-1]
	if err := json.Unmarshal(w.Body.Bytes(), &listed); err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, shown := range listed.StreamInfoList {
		names = append(names, shown.StreamName)
		if s := m.streams[shown.StreamName]; s != nil {
			m.compare(shown, s)
		}
	}
	if want := slices.Sorted(maps.Keys(m.streams)); !slices.Equal(names, want) {
		m.t.Errorf("there are %v, want %v", names, want)
	}
}

// shownStream is a stream as ListStreams shows it.
type shownStream struct {
	StreamName, Status, Version, MediaType string
	DataRetentionInHours                   int
}

func (m *walk) compare(shown shownStream, s *modelStream) {
	if shown.Status != s.state || shown.DataRetentionInHours != s.hours || shown.MediaType != s.mediaType {
		m.t.Errorf("%+v, want %+v", shown, *s)
	}
	if s.renewed == (shown.Version == s.version) {
		m.t.Errorf("the version of %s was %s and is %s", shown.StreamName, s.version, shown.Version)
	}
	s.version, s.renewed = shown.Version, false
	found, err := m.api.streams.Find(&shown.StreamName, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	_, notified := found.Notification()
	tier := found.Attributes.StorageTier
	if tier == "" {
		tier = "HOT"
	}
	if !maps.Equal(found.Tags(), s.tags) || notified != s.notified || tier != s.tier {
		m.t.Errorf("%s has %v, %v, %s, want %+v", shown.StreamName, found.Tags(), notified, tier, *s)
	}
	if got := found.Policy().KeepFor.Hours(); s.hours > 0 && got != float64(s.hours) || s.hours == 0 && got > 1 {
		m.t.Errorf("%s is kept for %g hours, want %d", shown.StreamName, got, s.hours)
	}
}
