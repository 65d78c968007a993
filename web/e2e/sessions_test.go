package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// session are the members of a request for a session of Kinesis Video.
type session map[string]any

// between selects what started between two times of the producer.
func (r *rig) between(format string, start, end time.Time) session {
	times := map[string]any{"StartTimestamp": float64(start.UnixMilli()) / 1000}
	if !end.IsZero() {
		times["EndTimestamp"] = float64(end.UnixMilli()) / 1000
	}
	return session{format + "FragmentSelector": map[string]any{"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": times}}
}

// begin begins a session and returns its address.
func (r *rig) begin(t *testing.T, stream, format string, s session) string {
	t.Helper()
	body := session{"StreamName": stream}
	for k, v := range s {
		body[k] = v
	}
	status, data := r.Do(t, http.MethodPost, "/get"+format+"StreamingSessionURL", body)
	var answer map[string]string
	if err := json.Unmarshal(data, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("get%sStreamingSessionURL: %d %s", format, status, data)
	}
	return answer[format+"StreamingSessionURL"]
}

// testSessions plays sessions of Kinesis Video with the players of other
// sites.
func testSessions(t *testing.T, r *rig) {
	for _, p := range []struct{ name, player, format string }{
		{"hls.js", "hls", "HLS"}, {"dash.js", "dash", "DASH"}, {"shaka HLS", "shaka", "HLS"}, {"shaka DASH", "shaka", "DASH"},
	} {
		t.Run("live "+p.name, func(t *testing.T) {
			t.Parallel()
			r.playLive(t, p.player, r.begin(t, "yard", p.format, nil))
		})
		t.Run("on demand "+p.name, func(t *testing.T) {
			t.Parallel()
			s := r.between(p.format, r.start, r.end)
			s["PlaybackMode"] = "ON_DEMAND"
			r.playRecorded(t, p.player, r.begin(t, "porch", p.format, s), filmed, frames)
		})
		t.Run("replay "+p.name, func(t *testing.T) {
			t.Parallel()
			s := r.between(p.format, r.start, time.Time{})
			s["PlaybackMode"] = "LIVE_REPLAY"
			r.playLive(t, p.player, r.begin(t, "porch", p.format, s))
		})
	}
	t.Run("MPEG-TS", func(t *testing.T) {
		t.Parallel()
		s := r.between("HLS", r.start, r.end)
		s["PlaybackMode"], s["ContainerFormat"] = "ON_DEMAND", "MPEG_TS"
		r.playRecorded(t, "hls", r.begin(t, "porch", "HLS", s), filmed, frames)
	})
	t.Run("a discontinuity before each fragment", func(t *testing.T) {
		t.Parallel()
		s := r.between("HLS", r.start, r.end)
		s["PlaybackMode"], s["DiscontinuityMode"], s["DisplayFragmentTimestamp"] = "ON_DEMAND", "ALWAYS", "ALWAYS"
		// hls.js begins each fragment where the one before it ended, so that those
		// with B-frames come later and later; it is watched for a while only.
		r.playLive(t, "hls", r.begin(t, "porch", "HLS", s))
	})
}
