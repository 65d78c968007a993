package rtsp_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"weir/ingest/ingesttest"
	"weir/internal/media"
	"weir/internal/rtspserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFFmpegPush pushes clips of every codec with ffmpeg over TCP: as many
// samples arrive as were sent, with the same bytes and times.
func TestFFmpegPush(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{}, nil)
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"}
	for _, tc := range []struct {
		name   string
		file   string
		audio  bool
		coding []string
		push   []string
		video  media.Codec
		sound  media.Codec
		codec  string // RFC 6381, of the first track
		times  bool   // decode times are exact from the first sample on
	}{
		{name: "h264-aac", file: "a.mp4", audio: true, coding: append(x264, "-bf", "0", "-c:a", "aac"), video: media.H264, sound: media.AAC, codec: "avc1.42C00D", times: true},
		{name: "h264-bframes", file: "a.mp4", coding: []string{"-c:v", "libx264", "-preset", "fast", "-g", "30", "-bf", "3", "-pix_fmt", "yuv420p"}, video: media.H264, codec: "avc1.64000D", times: true},
		{name: "h264-many-slices", file: "a.mp4", coding: append(x264, "-slices", "8", "-bf", "0", "-b:v", "8M"), video: media.H264, codec: "avc1.42C020", times: true},
		{name: "h265", file: "a.mp4", coding: []string{"-c:v", "libx265", "-preset", "ultrafast", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error"}, video: media.H265, codec: "hvc1.1.6.L60.90", times: true},
		{name: "vp8-opus", file: "a.webm", audio: true, coding: []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "libopus"}, video: media.VP8, sound: media.Opus, codec: "vp08.00.20.08", times: true},
		{name: "vp9", file: "a.webm", coding: []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-lag-in-frames", "0", "-pix_fmt", "yuv420p"}, push: []string{"-strict", "experimental"}, video: media.VP9, codec: "vp09.00.20.08", times: true},
		{name: "pcmu", file: "a.mkv", audio: true, coding: append(x264, "-c:a", "pcm_mulaw", "-ar", "8000"), video: media.H264, sound: media.PCMU, codec: "avc1.42C00D", times: true},
		{name: "pcma", file: "a.mkv", audio: true, coding: append(x264, "-c:a", "pcm_alaw", "-ar", "8000"), video: media.H264, sound: media.PCMA, codec: "avc1.42C00D", times: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clip := ingesttest.Clip(t, tc.file, "320x240", 75, 25, tc.audio, tc.coding...)
			rec := ingesttest.Record(t, s.Hub.Stream(tc.name))
			args := append([]string{"-hide_banner", "-loglevel", "error", "-i", clip, "-c", "copy"}, tc.push...)
			ingesttest.Run(t, "ffmpeg", append(args, "-f", "rtsp", "-rtsp_transport", "tcp", s.URL+"/"+tc.name)...)
			rec.WaitEnd(t)
			tracks := rec.Tracks()
			if len(tracks) == 0 || tracks[0].Codec != tc.video || tracks[0].Width != 320 || tracks[0].Height != 240 {
				t.Fatalf("tracks %+v", tracks)
			}
			if got := media.CodecString(tracks[0]); got != tc.codec {
				t.Errorf("codec string %q, want %q", got, tc.codec)
			}
			want := ingesttest.Packets(t, clip, "v:0")
			ingesttest.SameBytes(t, rec.Samples(1), want)
			if tc.times {
				ingesttest.SameTimes(t, rec.Samples(1), tracks[0].Timescale, want)
			}
			if rec.Sets() != 1 {
				t.Errorf("%d sets of tracks", rec.Sets())
			}
			if !tc.audio {
				return
			}
			if len(tracks) != 2 || tracks[1].Codec != tc.sound {
				t.Fatalf("tracks %+v", tracks)
			}
			if tc.sound == media.PCMU || tc.sound == media.PCMA {
				sameStream(t, rec.Samples(2), ingesttest.Packets(t, clip, "a:0"))
				return
			}
			sound := ingesttest.Packets(t, clip, "a:0")
			if tc.sound == media.AAC {
				// ffmpeg never sends the packet that it is still filling, of at
				// most five access units.
				n := len(rec.Samples(2))
				if n < len(sound)-5 || n > len(sound) {
					t.Fatalf("%d samples of sound arrived, %d were sent", n, len(sound))
				}
				sound = sound[:n]
			}
			ingesttest.SameBytes(t, rec.Samples(2), sound)
			ingesttest.SameTimes(t, rec.Samples(2), tracks[1].Timescale, sound)
		})
	}
}

// sameStream checks sound that may be cut into packets in another way.
func sameStream(t *testing.T, got []*media.Sample, want []ingesttest.Packet) {
	t.Helper()
	n, m := 0, 0
	for _, s := range got {
		n += len(s.Data)
	}
	for _, p := range want {
		m += p.Size
	}
	if n != m {
		t.Errorf("%d bytes of sound arrived, %d were sent", n, m)
	}
}

func TestFFmpegPushMJPEG(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{}, nil)
	clip := ingesttest.Clip(t, "a.avi", "320x240", 25, 25, false, "-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p", "-q:v", "5")
	rec := ingesttest.Record(t, s.Hub.Stream("cam"))
	ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-i", clip, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", s.URL+"/cam")
	rec.WaitEnd(t)
	if tr := rec.Tracks(); len(tr) != 1 || tr[0].Codec != media.MJPEG || tr[0].Width != 320 || tr[0].Height != 240 {
		t.Fatalf("tracks %+v", tr)
	}
	if n := len(rec.Samples(1)); n != 25 {
		t.Errorf("%d pictures of 25", n)
	}
}

func TestFFmpegPushUDP(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{UDP: true}, nil)
	clip := ingesttest.Clip(t, "a.mp4", "320x240", 50, 25, true, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-c:a", "aac")
	rec := ingesttest.Record(t, s.Hub.Stream("cam"))
	ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", clip, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "udp", s.URL+"/cam")
	rec.WaitEnd(t)
	want := map[uint32]bool{}
	for _, p := range ingesttest.Packets(t, clip, "v:0") {
		want[uint32(p.Size)] = true
	}
	samples := rec.Samples(1)
	if len(samples) < 10 {
		t.Fatalf("%d pictures of 50 over UDP on loopback", len(samples))
	}
	for i, m := range samples {
		if !want[uint32(len(m.Data))] {
			t.Errorf("sample %d of %d bytes was never sent", i, len(m.Data))
		}
	}
}

func TestGStreamerPush(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{}, nil)
	for _, codec := range []struct {
		name, pipeline string
		codec          media.Codec
	}{
		{"h264", "x264enc tune=zerolatency key-int-max=25 ! h264parse", media.H264},
		{"vp8", "vp8enc deadline=1 ! video/x-vp8,profile=(string)0", media.VP8},
		{"h265", "x265enc key-int-max=25 ! h265parse", media.H265},
	} {
		t.Run(codec.name, func(t *testing.T) {
			rec := ingesttest.Record(t, s.Hub.Stream(codec.name))
			pipeline := fmt.Sprintf("videotestsrc num-buffers=50 is-live=false ! video/x-raw,width=160,height=120,framerate=25/1 ! %s ! rtspclientsink protocols=tcp location=%s/%s", codec.pipeline, s.URL, codec.name)
			p := ingesttest.Spawn(t, "gst-launch-1.0", append([]string{"-q"}, strings.Fields(pipeline)...)...)
			rec.Wait(t, "45 pictures", func(r *ingesttest.Recording) bool { return r.Count(1) >= 45 })
			p.Stop()
			if tr := rec.Tracks(); len(tr) != 1 || tr[0].Codec != codec.codec || tr[0].Width != 160 || tr[0].Height != 120 {
				t.Errorf("tracks %+v", tr)
			}
			if !rec.Samples(1)[0].Key {
				t.Error("the first sample is no key frame")
			}
		})
	}
}

func TestSecondPublisherIsRefused(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{}, nil)
	clip := ingesttest.Clip(t, "a.mp4", "160x120", 25, 25, false, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0")
	push := func(name string) []string {
		return []string{"-hide_banner", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", s.URL + "/" + name}
	}
	rec := ingesttest.Record(t, s.Hub.Stream("cam"))
	first := ingesttest.Spawn(t, "ffmpeg", push("cam")...)
	rec.Wait(t, "a picture", func(r *ingesttest.Recording) bool { return r.Count(1) > 0 })
	if out := ingesttest.RunFailing(t, "ffmpeg", push("cam")...); !strings.Contains(out, "already has a producer") {
		t.Errorf("the second publisher learns %q", out)
	}
	first.Stop()

	rec = ingesttest.Record(t, s.Hub.Stream("takeover"))
	first = ingesttest.Spawn(t, "ffmpeg", push("takeover")...)
	rec.Wait(t, "a picture", func(r *ingesttest.Recording) bool { return r.Count(1) > 0 })
	second := ingesttest.Spawn(t, "ffmpeg", push("takeover")...)
	if _, err := first.Wait(t); err == nil {
		t.Error("the first publisher ended without an error")
	}
	rec.Wait(t, "the second session", func(r *ingesttest.Recording) bool { return true })
	second.Stop()

	if out := ingesttest.RunFailing(t, "ffmpeg", push("unknown")...); !strings.Contains(out, "does not exist") {
		t.Errorf("a publisher to nowhere learns %q", out)
	}
}
