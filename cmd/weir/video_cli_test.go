package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/testkit"
)

// videoControlCLI walks through the control operations that the AWS CLI of any
// age knows.
func videoControlCLI(t *testing.T, w *testkit.Weir) {
	c := newCLI(t, w, "kinesisvideo")
	const name = "cli-camera"
	arn, _ := c.json("create-stream --data-retention-in-hours 24 --media-type video/h264 --tags site=north --stream-name " + name)["StreamARN"].(string)
	c.settleVideo(name)
	c.has(`"DataRetentionInHours": 24`, "describe-stream --stream-name "+name)
	c.has(arn, "list-streams --stream-name-condition ComparisonOperator=BEGINS_WITH,ComparisonValue=cli-")
	c.run("update-stream --device-name door --stream-arn " + arn + " --current-version " + c.videoVersion(name))
	c.settleVideo(name)
	c.run("update-data-retention --operation DECREASE_DATA_RETENTION --data-retention-change-in-hours 23 --stream-name " + name + " --current-version " + c.videoVersion(name))
	c.settleVideo(name)
	c.has(`"DataRetentionInHours": 1`, "describe-stream --stream-name "+name)
	c.has(w.HTTP, "get-data-endpoint --api-name GET_MEDIA --stream-name "+name)
	c.run("tag-stream --tags floor=2 --stream-name " + name)
	c.run("untag-stream --tag-key-list site --stream-name " + name)
	c.has(`"floor": "2"`, "list-tags-for-stream --stream-name "+name)
	c.run("update-notification-configuration --stream-name " + name + " --notification-configuration Status=ENABLED,DestinationConfig={Uri=https://hooks.example/x}")
	c.has("hooks.example", "describe-notification-configuration --stream-name "+name)

	channel, _ := c.json("create-signaling-channel --channel-name cli-bell")["ChannelARN"].(string)
	c.has(`"ChannelStatus": "ACTIVE"`, "describe-signaling-channel --channel-name cli-bell")
	c.has(channel, "list-signaling-channels")
	c.has(`"Protocol": "WSS"`, "get-signaling-channel-endpoint --channel-arn "+channel+" --single-master-channel-endpoint-configuration Protocols=WSS,HTTPS,Role=MASTER")
	c.run("tag-resource --tags Key=a,Value=b --resource-arn " + channel)
	c.has(`"a": "b"`, "list-tags-for-resource --resource-arn "+channel)
	c.run("delete-signaling-channel --channel-arn " + channel)

	c.fails("ResourceNotFoundException", "describe-stream --stream-name nosuch")
	c.fails("VersionMismatchException", "delete-stream --current-version 0 --stream-arn "+arn)
	c.run("delete-stream --stream-arn " + arn)
	for range 50 {
		if _, err := c.try("describe-stream --stream-name " + name); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the stream stays")
}

func (c *cliRun) videoVersion(name string) string {
	info, _ := c.json("describe-stream --stream-name " + name)["StreamInfo"].(map[string]any)
	version, _ := info["Version"].(string)
	return version
}

// settleVideo waits until a video stream is active.
func (c *cliRun) settleVideo(name string) {
	c.t.Helper()
	for range 50 {
		if strings.Contains(c.run("describe-stream --stream-name "+name), `"Status": "ACTIVE"`) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("the stream does not become active")
}

// videoPlaybackCLI lets the AWS CLI take out what a producer has put.
func videoPlaybackCLI(t *testing.T, w *testkit.Weir) {
	const name = "cli-played"
	putFilm(t, w, name)
	c := newCLI(t, w, "kinesis-video-archived-media")
	begin := time.Now().UTC()
	span := "{StartTimestamp=" + begin.Add(-time.Hour).Format(time.RFC3339) + ",EndTimestamp=" + begin.Add(time.Hour).Format(time.RFC3339) + "}"
	now := "FragmentSelectorType=SERVER_TIMESTAMP,TimestampRange=" + span
	list, _ := c.json("list-fragments --stream-name " + name + " --fragment-selector " + now)["Fragments"].([]any)
	if len(list) != 4 {
		t.Fatalf("%d fragments, want 4", len(list))
	}
	first, _ := list[0].(map[string]any)
	number, _ := first["FragmentNumber"].(string)
	file := filepath.Join(t.TempDir(), "media")
	c.run("get-media-for-fragment-list " + file + " --stream-name " + name + " --fragments " + number)
	if info, err := os.Stat(file); err != nil || info.Size() < 10_000 {
		t.Errorf("the media of a fragment: %v, %v", info, err)
	}
	window := " --stream-name " + name + " --playback-mode ON_DEMAND"
	times := "FragmentSelectorType=PRODUCER_TIMESTAMP,TimestampRange={StartTimestamp=2026-01-01T00:00:00Z,EndTimestamp=2026-01-02T00:00:00Z}"
	c.fails("ResourceNotFoundException", "get-hls-streaming-session-url"+window+" --hls-fragment-selector "+times)
	c.fails("ResourceNotFoundException", "get-dash-streaming-session-url"+window+" --dash-fragment-selector "+times)
	c.has("SessionToken=", "get-hls-streaming-session-url"+window+" --hls-fragment-selector "+now)
	c.has("SessionToken=", "get-dash-streaming-session-url"+window+" --dash-fragment-selector "+now)
	c.run("get-clip " + file + " --stream-name " + name + " --clip-fragment-selector " + now)
	if info, err := os.Stat(file); err != nil || info.Size() < 100_000 {
		t.Errorf("the clip: %v, %v", info, err)
	}
}
