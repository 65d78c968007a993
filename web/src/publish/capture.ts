// What a browser can publish: its cameras, its screen, and how they are coded.

export type Kind = "camera" | "screen";

export interface Wish {
  kind: Kind;
  /** Which camera and microphone; "" is the browser's choice. */
  camera: string;
  microphone: string;
  sound: boolean;
  /** Lines of the picture, at most. */
  height: number;
  /** The codec of the picture; "" is the browser's choice. */
  codec: string;
}

export const heights = [360, 480, 720, 1080];

/** Asks the user for the picture and the sound. */
export async function capture(wish: Wish): Promise<MediaStream> {
  const video: MediaTrackConstraints = { height: { ideal: wish.height } };
  if (wish.kind === "screen") {
    return navigator.mediaDevices.getDisplayMedia({ video, audio: wish.sound });
  }
  if (wish.camera !== "") video.deviceId = { exact: wish.camera };
  const audio = wish.microphone === "" ? true : { deviceId: { exact: wish.microphone } };
  return navigator.mediaDevices.getUserMedia({ video, audio: wish.sound && audio });
}

/** Why a picture could not be had, and what to do. */
export function captureProblem(cause: unknown): string {
  const name = cause instanceof DOMException ? cause.name : "";
  switch (name) {
    case "NotAllowedError":
      return "The browser was not allowed to use the camera or screen. Allow it in the address bar and try again.";
    case "NotFoundError":
      return "This device has no camera or microphone. Publish the screen, or leave out the sound.";
    case "NotReadableError":
      return "Another program uses the camera. Close it and try again.";
    case "OverconstrainedError":
      return "The camera that was chosen is gone. Choose another.";
  }
  return cause instanceof Error ? cause.message : String(cause);
}

/** Whether the page may ask for cameras at all. */
export function mayCapture(): boolean {
  return window.isSecureContext && "mediaDevices" in navigator;
}

/** Coders of error correction and retransmission, which are no codecs of their own. */
const helpers = ["video/rtx", "video/red", "video/ulpfec", "video/flexfec-03"];

/** The names of the codecs in which this browser can send pictures. */
export function videoCodecs(): string[] {
  const all = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const names = all.map((c) => c.mimeType).filter((type) => !helpers.includes(type.toLowerCase()));
  return [...new Set(names.map((type) => type.replace("video/", "")))];
}

/** Puts a codec before the others. */
export function prefer(transceiver: RTCRtpTransceiver, codec: string): void {
  if (codec === "") return;
  const all = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const wanted = all.filter((c) => c.mimeType.toLowerCase() === `video/${codec.toLowerCase()}`);
  const helping = all.filter((c) => helpers.includes(c.mimeType.toLowerCase()));
  transceiver.setCodecPreferences([...wanted, ...helping]);
}
