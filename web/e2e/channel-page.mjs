// A client of a signalling channel, with the library that AWS has for browsers:
// a master that shows its camera to whoever asks, a viewer that asks, or either
// of them as a client of the storage session, which offers by itself. It is
// served by the test.
/* global KVSWebRTC */
const video = document.querySelector("video");
const state = {
  opened: false,
  connected: 0,
  errors: [],
  statuses: [],
  peers: [],
  local: undefined,
};
globalThis.state = state;

function fail(what) {
  state.errors.push(String(what?.stack ?? what?.message ?? what));
}

/** Opens the channel and does what the role does. */
globalThis.join = async (options) => {
  const { role, relay, iceServers, storage, media } = options;
  const client = new KVSWebRTC.SignalingClient({
    role: KVSWebRTC.Role[role],
    clientId: options.clientId,
    channelARN: options.channelARN,
    channelEndpoint: options.channelEndpoint,
    region: "us-east-1",
    credentials: options.credentials,
    enableEarlyIceCandidateBuffering: storage,
  });
  state.client = client;
  if (media) {
    state.local = await navigator.mediaDevices.getUserMedia(media);
  }
  client.on("error", fail);
  client.on("statusResponse", (s) => state.statuses.push(s));
  client.on("close", () => (state.opened = false));
  client.on("sdpOffer", (offer, from) => answer(offer, from, options).catch(fail));
  const opened = new Promise((done) => client.on("open", done));
  client.open();
  await opened;
  state.opened = true;
  if (role === "VIEWER" && !storage) await ask({ relay, iceServers });
};

function peer({ relay, iceServers }, remote) {
  const pc = new RTCPeerConnection({
    iceServers,
    iceTransportPolicy: relay ? "relay" : "all",
  });
  state.peers.push(pc);
  pc.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) state.client.sendIceCandidate(candidate, remote);
  };
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === "connected") state.connected++;
    if (pc.connectionState === "failed") fail("the connection failed");
  };
  pc.ontrack = ({ track, streams }) => {
    if (track.kind === "video") video.srcObject = streams[0] ?? new MediaStream([track]);
  };
  state.client.on("iceCandidate", (candidate, from) => {
    if ((from ?? "") === (remote ?? "")) pc.addIceCandidate(candidate).catch(fail);
  });
  return pc;
}

async function answer(offer, from, options) {
  const pc = peer(options, from);
  for (const track of state.local?.getTracks() ?? []) pc.addTrack(track, state.local);
  await pc.setRemoteDescription(offer);
  if (options.codec) {
    for (const transceiver of pc.getTransceivers()) {
      if (transceiver.receiver.track.kind !== "video") continue;
      const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
      transceiver.setCodecPreferences(codecs.filter((c) => c.mimeType === options.codec));
    }
  }
  if (options.storage) state.client.drainPendingIceCandidates(from);
  await pc.setLocalDescription(await pc.createAnswer());
  state.client.sendSdpAnswer(pc.localDescription, from, "answer");
}

async function ask(options) {
  const pc = peer(options);
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  state.client.on("sdpAnswer", (description) => pc.setRemoteDescription(description).catch(fail));
  await pc.setLocalDescription(await pc.createOffer());
  state.client.sendSdpOffer(pc.localDescription);
}

/** What the client has seen so far. */
globalThis.seen = async () => {
  const pairs = [];
  let audio = 0;
  let talk = 0;
  for (const pc of state.peers) {
    const stats = [...(await pc.getStats()).values()];
    const byId = new Map(stats.map((s) => [s.id, s]));
    for (const s of stats) {
      if (s.type === "transport" && s.selectedCandidatePairId) {
        const pair = byId.get(s.selectedCandidatePairId);
        pairs.push(byId.get(pair.localCandidateId)?.candidateType ?? "?");
      }
      if (s.type === "inbound-rtp" && s.kind === "audio") audio += s.packetsReceived;
      if (s.type === "outbound-rtp" && s.kind === "audio") talk += s.packetsSent;
    }
  }
  const quality = video.getVideoPlaybackQuality();
  return {
    opened: state.opened,
    connected: state.connected,
    errors: state.errors,
    statuses: state.statuses,
    frames: quality.totalVideoFrames,
    width: video.videoWidth,
    pairs,
    audio,
    talk,
  };
};
