package ingest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/media"
)

// camera simulates a producer of one track: it stamps frames, the network
// delays them, and a clock maps them.
type camera struct {
	clock  *Clock
	track  int
	scale  uint32
	epoch  time.Time     // true time of the start
	now    time.Duration // true time since
	rtp    uint32
	frames []frame
	report struct {
		every, next time.Duration
		wrong       time.Duration // error of the camera's wall clock
	}
	delay func(now time.Duration) time.Duration
}

type frame struct {
	captured time.Duration
	stamp    uint32
	mapped   media.Ticks
}

func newCamera(c *Clock, scale uint32) *camera {
	cam := &camera{clock: c, scale: scale, epoch: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), rtp: 0xFFFFF000}
	cam.track = c.AddTrack(scale, true)
	cam.delay = func(time.Duration) time.Duration { return 5 * time.Millisecond }
	return cam
}

// send captures a frame, stamps it step ticks after the last, and takes real
// time until the next.
func (c *camera) send(step uint32, real time.Duration) {
	arrival := c.epoch.Add(c.now + c.delay(c.now))
	if c.report.every > 0 && c.now >= c.report.next {
		c.report.next += c.report.every
		c.clock.SenderReport(c.track, c.epoch.Add(c.now+c.report.wrong), c.rtp, arrival)
	}
	c.frames = append(c.frames, frame{c.now, c.rtp, c.clock.Map(c.track, c.rtp, arrival)})
	c.rtp += step
	c.now += real
}

// off is the error of the newest frame's producer time.
func (c *camera) off() time.Duration {
	f := c.frames[len(c.frames)-1]
	return f.mapped.Time(c.scale).Sub(c.epoch) - f.captured
}

// exact counts the durations that are not what was stamped.
func (c *camera) inexact() int {
	n := 0
	for i := 1; i < len(c.frames); i++ {
		if int64(c.frames[i].mapped-c.frames[i-1].mapped) != int64(int32(c.frames[i].stamp-c.frames[i-1].stamp)) {
			n++
		}
	}
	return n
}

func (c *camera) rising(t interface{ Fatalf(string, ...any) }) {
	for i := 1; i < len(c.frames); i++ {
		if c.frames[i].mapped <= c.frames[i-1].mapped {
			t.Fatalf("frame %d: producer time %d after %d", i, c.frames[i].mapped, c.frames[i-1].mapped)
		}
	}
}

const fps25 = 40 * time.Millisecond

func jitter(most time.Duration) func(time.Duration) time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	return func(time.Duration) time.Duration {
		return 5*time.Millisecond + time.Duration(r.Int64N(int64(most)))
	}
}

func TestClockCameras(t *testing.T) {
	const hour = int(time.Hour / fps25)
	for _, tc := range []struct {
		name  string
		run   func(c *camera)
		exact bool          // every duration as stamped
		off   time.Duration // most error of the last frame
		check func(t *testing.T, c *camera, s ClockStatus)
	}{
		{name: "steady for a day through the wrap of its counter", exact: true, off: 10 * time.Millisecond, run: func(c *camera) {
			for range 24 * hour {
				c.send(3600, fps25)
			}
		}},
		{name: "jittery network", exact: true, off: 200 * time.Millisecond, run: func(c *camera) {
			c.delay = jitter(150 * time.Millisecond)
			for range hour {
				c.send(3600, fps25)
			}
		}},
		{name: "late first frame", exact: true, off: 200 * time.Millisecond, run: func(c *camera) {
			c.delay = func(now time.Duration) time.Duration { return max(0, 180*time.Millisecond-now) }
			for range hour / 10 {
				c.send(3600, fps25)
			}
		}},
		{name: "sender reports of a good clock", exact: true, off: time.Millisecond, run: func(c *camera) {
			c.report.every = 5 * time.Second
			c.delay = jitter(150 * time.Millisecond)
			for range hour {
				c.send(3600, fps25)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if !s.SenderReported || s.Offset != 0 {
				t.Errorf("status %v", s)
			}
		}},
		{name: "sender reports three hours off", exact: true, off: 10 * time.Millisecond, run: func(c *camera) {
			c.report.every, c.report.wrong = 5*time.Second, 3*time.Hour
			for range hour / 10 {
				c.send(3600, fps25)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if s.SenderReported || s.Offset.Round(time.Minute) != 3*time.Hour {
				t.Errorf("status %v", s)
			}
		}},
		{name: "sender reports that begin late", off: 110 * time.Millisecond, run: func(c *camera) {
			c.delay = func(time.Duration) time.Duration { return 400 * time.Millisecond }
			for range 250 {
				c.send(3600, fps25)
			}
			c.report.every, c.report.next = 5*time.Second, c.now
			for range hour / 2 {
				c.send(3600, fps25)
			}
		}},
		{name: "crystal 100 ppm off", off: 300 * time.Millisecond, run: func(c *camera) {
			for range 24 * hour {
				c.send(3600, fps25+fps25/10000)
			}
		}},
		{name: "crystal 3000 ppm off", off: 400 * time.Millisecond, run: func(c *camera) {
			for range 6 * hour {
				c.send(3600, fps25+3*fps25/1000)
			}
		}},
		{name: "stamps 25, sends 21", off: 500 * time.Millisecond, run: func(c *camera) {
			for range hour {
				c.send(3600, time.Second/21)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if math.Abs(s.RateError-25./21+1) > 0.01 {
				t.Errorf("rate error %v", s.RateError)
			}
		}},
		{name: "stamps 25, sends 30, jittery", off: 700 * time.Millisecond, run: func(c *camera) {
			c.delay = jitter(100 * time.Millisecond)
			for range hour {
				c.send(3600, time.Second/30)
			}
		}},
		{name: "stall of eight seconds, then all at once", exact: true, off: 10 * time.Millisecond, run: func(c *camera) {
			c.delay = func(now time.Duration) time.Duration {
				if s := now - time.Minute; s > 0 && s < 8*time.Second {
					return 8*time.Second - s
				}
				return time.Millisecond
			}
			for range hour / 10 {
				c.send(3600, fps25)
			}
		}},
		{name: "silence of a minute", exact: true, off: 10 * time.Millisecond, run: func(c *camera) {
			for range 1000 {
				c.send(3600, fps25)
			}
			c.send(3600+60*90000, fps25+time.Minute)
			for range 1000 {
				c.send(3600, fps25)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if s.Gaps != 1 || s.Reanchored != 0 {
				t.Errorf("status %v", s)
			}
		}},
		{name: "pause of a minute that its counter does not show", off: 50 * time.Millisecond, run: func(c *camera) {
			for range 1000 {
				c.send(3600, fps25)
			}
			c.send(3600, fps25+time.Minute)
			for range 1000 {
				c.send(3600, fps25)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if s.Gaps != 1 {
				t.Errorf("status %v", s)
			}
		}},
		{name: "stamps jump forward and back", off: 50 * time.Millisecond, run: func(c *camera) {
			for i := range 5000 {
				switch i % 1000 {
				case 500:
					c.rtp += 0x40000000
				case 700:
					c.rtp -= 0x30000000
				}
				c.send(3600, fps25)
			}
			if n := c.inexact(); n != 10 {
				panic("only the jumps may differ from what was stamped")
			}
		}, check: func(t *testing.T, c *camera, s ClockStatus) {
			if s.Reanchored != 10 || s.Gaps != 0 {
				t.Errorf("status %v", s)
			}
			for i := 1; i < len(c.frames); i++ {
				if d := c.frames[i].mapped - c.frames[i-1].mapped; d != 3600 {
					t.Fatalf("frame %d lasts %d", i, d)
				}
			}
		}},
		{name: "file pushed at a hundred times its speed", exact: true, off: 2 * time.Hour, run: func(c *camera) {
			for range hour {
				c.send(3600, fps25/100)
			}
		}, check: func(t *testing.T, _ *camera, s ClockStatus) {
			if !s.FreeRunning {
				t.Errorf("status %v", s)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCamera(NewClock(0), 90000)
			tc.run(c)
			c.rising(t)
			s := c.clock.Status()
			if n := c.inexact(); tc.exact && n > 0 {
				t.Errorf("%d of %d durations are not what was stamped", n, len(c.frames))
			}
			if off := c.off(); off > tc.off || off < -tc.off {
				t.Errorf("the last frame is %v off, allowed %v", off, tc.off)
			}
			if tc.check != nil {
				tc.check(t, c, s)
			}
		})
	}
}

// TestClockTracksStayTogether sends sound in packets of its own rate beside
// pictures, with and without sender reports, and checks that both stay on one
// axis over hours of a slightly wrong crystal.
func TestClockTracksStayTogether(t *testing.T) {
	for _, reports := range []bool{false, true} {
		c := NewClock(0)
		video := newCamera(c, 90000)
		audio := newCamera(c, 48000)
		c.lead = c.tracks[0]
		if reports {
			video.report.every, audio.report.every = 5*time.Second, 5*time.Second
			video.report.wrong, audio.report.wrong = -time.Hour, -time.Hour
		}
		period := fps25 + fps25/5000
		for video.now < 2*time.Hour {
			video.send(3600, period)
			for audio.now < video.now {
				audio.send(1024, time.Duration(1024*float64(time.Second)/48000*(1+1./5000)))
			}
			if d := video.off() - audio.off(); d > 60*time.Millisecond || d < -60*time.Millisecond {
				t.Fatalf("reports %t: tracks are %v apart after %v", reports, d, video.now)
			}
		}
		if off := video.off(); off > 300*time.Millisecond || off < -300*time.Millisecond {
			t.Errorf("reports %t: %v off", reports, off)
		}
	}
}

func TestClockSkewBetweenTracksIsWorkedOff(t *testing.T) {
	c := NewClock(0)
	video, audio := newCamera(c, 90000), newCamera(c, 8000)
	c.lead = c.tracks[0]
	// Pictures take 300 ms longer to get here than sound.
	video.delay = func(time.Duration) time.Duration { return 310 * time.Millisecond }
	for video.now < 30*time.Minute {
		video.send(3600, fps25)
		audio.send(320, fps25)
		if video.now == 10*time.Second {
			video.report.every, video.report.next = 5*time.Second, video.now
			audio.report.every, audio.report.next = 5*time.Second, audio.now
		}
	}
	if d := video.off() - audio.off(); d > 40*time.Millisecond || d < -40*time.Millisecond {
		t.Errorf("tracks are %v apart", d)
	}
}

func TestClockSessionsDoNotOverlap(t *testing.T) {
	epoch := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	end := epoch.Add(time.Minute).UnixNano()
	c := newCamera(NewClock(end), 90000)
	c.send(3600, fps25)
	if got := c.frames[0].mapped.Nanos(90000); got <= end || got > end+int64(time.Second) {
		t.Errorf("session begins %v after the end of the one before", time.Duration(got-end))
	}
}

// TestClockNeverSteps throws anything at the clock: within a track, producer
// time rises with every stamp that rises, and in all by no more than what
// stamps and arrival account for.
func TestClockNeverSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCamera(NewClock(0), 90000)
		if rapid.Bool().Draw(t, "reports") {
			c.report.every = 3 * time.Second
			c.report.wrong = time.Duration(rapid.Int64Range(-int64(20*time.Second), int64(20*time.Second)).Draw(t, "wrong"))
		}
		speed := rapid.Float64Range(0.4, 3).Draw(t, "speed")
		lag := time.Duration(0)
		c.delay = func(time.Duration) time.Duration { return lag }
		events := rapid.IntRange(1, 20).Draw(t, "events")
		for range events {
			step := uint32(3600)
			real := time.Duration(float64(fps25) * speed)
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0:
				step = rapid.Uint32().Draw(t, "step")
			case 1:
				real += time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "pause"))
			case 2:
				lag += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "lag"))
			case 3:
				lag = 0
			}
			c.send(step, real)
			for range rapid.IntRange(0, 600).Draw(t, "frames") {
				c.send(3600, time.Duration(float64(fps25)*speed))
			}
		}
		var stamped time.Duration
		for i := 1; i < len(c.frames); i++ {
			a, b := c.frames[i-1], c.frames[i]
			d := media.Ticks(int32(b.stamp - a.stamp)).Duration(90000)
			if d > 0 && b.mapped < a.mapped {
				t.Fatalf("frame %d: time goes back by %d ticks", i, a.mapped-b.mapped)
			}
			stamped += max(d, 0)
		}
		first, last := c.frames[0], c.frames[len(c.frames)-1]
		took := (last.mapped - first.mapped).Duration(90000)
		if most := stamped*5/2 + last.captured + 2*MaxReportOffset; took > most {
			t.Fatalf("%d frames of %v in %v make %v", len(c.frames), stamped, last.captured, took)
		}
	})
}

func BenchmarkClockMap(b *testing.B) {
	c := NewClock(0)
	c.AddTrack(90000, true)
	at := time.Unix(1e9, 0)
	rtp := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		c.Map(0, rtp, at)
		rtp += 3600
		at = at.Add(fps25)
	}
}
