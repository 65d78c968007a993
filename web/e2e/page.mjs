// The page of a web site that embeds a stream: one video, one player. It is
// served by the test, from another origin than Weir.
/* global Hls, dashjs, shaka */
const video = document.querySelector("video");
const state = {
  video,
  errors: [],
  first: undefined,
  duration: undefined,
  waiting: 0,
  latency: undefined,
};
globalThis.state = state;

video.addEventListener("error", () => fail(`video: ${video.error?.code} ${video.error?.message}`));
video.addEventListener("waiting", () => state.waiting++);
video.addEventListener("timeupdate", () => {
  if (video.readyState >= 2 && state.first === undefined) state.first = video.currentTime;
});

function fail(what) {
  state.errors.push(String(what));
}

const players = {
  hls({ url, rate }) {
    const hls = new Hls({ lowLatencyMode: true });
    state.player = hls;
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal)
        fail(`hls.js: ${data.type} ${data.details} ${data.reason ?? data.error ?? ""}`);
      else console.log("hls.js:", data.details, data.reason ?? data.error?.message ?? "");
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => begin(rate));
    state.behind = () =>
      hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : undefined;
    hls.loadSource(url);
    hls.attachMedia(video);
  },
  dash({ url, rate }) {
    const player = dashjs.MediaPlayer().create();
    state.player = player;
    player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_WARNING } });
    player.on(dashjs.MediaPlayer.events.ERROR, (e) =>
      fail(`dash.js: ${e.error?.code} ${e.error?.message}`),
    );
    player.on(dashjs.MediaPlayer.events.STREAM_INITIALIZED, () => begin(rate));
    state.behind = () => player.getCurrentLiveLatency();
    player.initialize(video, url, true);
  },
  async shaka({ url, rate }) {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    state.player = player;
    player.configure({ streaming: { lowLatencyMode: true } });
    player.addEventListener("error", (e) =>
      fail(`shaka: ${e.detail.code} ${e.detail.data} ${e.detail.stack}`),
    );
    state.behind = () =>
      player.isLive() ? (Date.now() - player.getPlayheadTimeAsDate()?.getTime()) / 1000 : undefined;
    try {
      await player.attach(video);
      await player.load(url);
      begin(rate);
    } catch (error) {
      fail(`shaka: ${error.code} ${error.data} ${error.stack ?? error}`);
    }
  },
  native({ url, rate }) {
    video.crossOrigin = "anonymous"; // Weir lets no other site take media without asking
    video.src = url;
    begin(rate);
  },
};

function begin(rate) {
  video.playbackRate = rate;
  video.play().catch((error) => fail(`play: ${error}`));
}

globalThis.begin = players[new URLSearchParams(location.search).get("player")];

function ranges(r) {
  return Array.from({ length: r.length }, (_, i) => [r.start(i), r.end(i)]);
}

/** What came of it. */
globalThis.seen = () => {
  const quality = video.getVideoPlaybackQuality();
  return {
    errors: state.errors,
    first: state.first ?? -1,
    currentTime: video.currentTime,
    ended: video.ended,
    duration: Number.isFinite(video.duration) ? video.duration : -1,
    seekable: ranges(video.seekable),
    buffered: ranges(video.buffered),
    readyState: video.readyState,
    frames: quality.totalVideoFrames,
    dropped: quality.droppedVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount,
    width: video.videoWidth,
    waiting: state.waiting,
    behind: state.behind?.() ?? -1,
  };
};
