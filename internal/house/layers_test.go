package house

import (
	"slices"
	"strings"
	"testing"
)

// rooms lists for every top directory which others its packages may import.
func rooms() map[string][]string {
	return map[string][]string{
		"cmd":         {"ingest", "playback", "datastreams", "web", "fragments", "internal"},
		"ingest":      {"fragments", "internal"},
		"playback":    {"fragments", "internal"},
		"datastreams": {"internal"},
		"web":         {"internal"},
		"fragments":   {"internal"},
		"internal":    {},
	}
}

// leaves are packages that import nothing of ours but what is listed.
func leaves() map[string][]string {
	return map[string][]string{
		"internal/auth":        {"internal/auth/policy", "internal/clock", "internal/meta", "internal/vfs"},
		"internal/auth/policy": {},
		"internal/awsapi":      {},
		"internal/burst":       {},
		"internal/clock":       {},
		"internal/config":      {"internal/nearest"},
		"internal/egress":      {},
		"internal/live":        {"internal/clock", "internal/media"},
		"internal/media":       {},
		"internal/meta":        {"internal/vfs"},
		"internal/nearest":     {},
		"internal/objects":     {"internal/vfs"},
		"internal/rtcpeer":     {"internal/egress", "internal/media"},
		"internal/rtspserver":  {"internal/burst", "internal/media", "internal/auth"},
		"internal/testkit":     {},
		"internal/vfs":         {},
		"datastreams/streams":  {"datastreams/shardlog", "internal/auth", "internal/clock", "internal/meta"},
		"fragments":            {"internal/media"},
		"fragments/mp4":        {"fragments", "internal/media"},
		"fragments/mkv":        {"fragments", "internal/media"},
		"web":                  {"internal/server"},
	}
}

// video names what datastreams may not know, although it lies in internal.
func video() []string {
	return []string{"internal/live", "internal/media", "internal/rtspserver", "internal/rtcpeer"}
}

// support tells whether a package exists for tests only.
func support(pkg string) bool {
	last := pkg[strings.LastIndex(pkg, "/")+1:]
	return strings.HasSuffix(last, "test") || last == "testkit" || last == "testmedia" || last == "house"
}

func room(pkg string) string {
	top, _, _ := strings.Cut(pkg, "/")
	return top
}

// TestImportsRunOneWay holds every import of ours to the rooms.
func TestImportsRunOneWay(t *testing.T) {
	allowed := rooms()
	for _, f := range goFiles(t) {
		from := room(f.pkg)
		if _, ok := allowed[from]; !ok {
			t.Errorf("%s: %s is no room of the design", f.path, from)
			continue
		}
		for _, to := range f.imports {
			if f.test && support(to) {
				continue // whatever a test needs to set the scene
			}
			if room(to) != from && !slices.Contains(allowed[from], room(to)) {
				t.Errorf("%s: %s imports %s", f.path, from, to)
			}
			if from == "datastreams" && slices.Contains(video(), to) {
				t.Errorf("%s: datastreams knows no video, but imports %s", f.path, to)
			}
			if !f.test && !support(f.pkg) && support(to) {
				t.Errorf("%s: imports %s, which is for tests", f.path, to)
			}
		}
	}
}

// TestLeavesStandAlone holds the leaves to what they may stand on.
func TestLeavesStandAlone(t *testing.T) {
	for _, f := range goFiles(t) {
		may, ok := leaves()[f.pkg]
		if !ok || f.test {
			continue
		}
		for _, to := range f.imports {
			if !slices.Contains(may, to) {
				t.Errorf("%s: %s imports %s and may import %v", f.path, f.pkg, to, may)
			}
		}
	}
}

// TestOnlyTheWiringJoinsRooms keeps commands from growing behaviour that others
// would import.
func TestOnlyTheWiringJoinsRooms(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, to := range f.imports {
			if room(to) == "cmd" && f.pkg != to {
				t.Errorf("%s: imports %s", f.path, to)
			}
		}
	}
}
