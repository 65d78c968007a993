"""GStreamer's webrtcbin publishes over WHIP, which Debian's GStreamer has no
element for. Usage: whip.py URL TOKEN SECONDS. It prints what became of it as
one line of JSON and ends with an error when it did not connect."""
import json
import sys
import time
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PIPELINE = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 ! videoconvert
  ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max=50
  ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=-1 ! rtph264pay aggregate-mode=zero-latency
  ! application/x-rtp,media=video,encoding-name=H264,payload=96 ! peer.
audiotestsrc is-live=true wave=sine ! audioconvert ! audioresample ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""


class Publisher:
    def __init__(self, url, token):
        self.url, self.token = url, token
        self.session = self.problem = None
        self.states = []
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.peer = self.pipeline.get_by_name("peer")
        self.peer.connect("on-negotiation-needed", self.negotiate)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("notify::connection-state", self.changed)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.fail(str(m.parse_error())))

    def fail(self, problem):
        self.problem = problem
        self.loop.quit()

    def negotiate(self, peer):
        for i in range(2):
            peer.emit("get-transceiver", i).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered, None))

    def offered(self, promise, _):
        reply = promise.get_reply()  # it owns the offer
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def gathered(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.exchange)

    def exchange(self):
        offer = self.peer.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp", "Authorization": "Bearer " + self.token}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, offer.encode(), headers)) as answer:
                text = answer.read().decode()
                self.session = urllib.parse.urljoin(self.url, answer.headers["Location"])
        except Exception as problem:  # noqa: BLE001
            self.fail(str(problem))
            return False
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", description, Gst.Promise.new())
        return False

    def changed(self, peer, _):
        state = peer.get_property("connection-state")
        self.states.append(state.value_nick)
        if state == GstWebRTC.WebRTCPeerConnectionState.FAILED:
            self.fail("the connection failed")

    def run(self, seconds):
        self.pipeline.set_state(Gst.State.PLAYING)
        begun = time.monotonic()
        GLib.timeout_add(int(seconds * 1000), self.loop.quit)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        if self.session:
            headers = {"Authorization": "Bearer " + self.token}
            urllib.request.urlopen(urllib.request.Request(self.session, headers=headers, method="DELETE")).close()
        if not self.problem and "connected" not in self.states:
            self.problem = "it never connected"
        print(json.dumps({"seconds": time.monotonic() - begun, "states": self.states, "problem": self.problem}))
        return 1 if self.problem else 0


Gst.init(None)
sys.exit(Publisher(sys.argv[1], sys.argv[2]).run(float(sys.argv[3])))
