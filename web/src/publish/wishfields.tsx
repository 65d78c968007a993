import { useEffect, useState } from "react";
import { Check, Field } from "../components/field";
import { heights, videoCodecs, type Kind, type Wish } from "./capture";

const kinds: { kind: Kind; label: string }[] = [
  { kind: "camera", label: "Camera" },
  { kind: "screen", label: "Screen or window" },
];

/** What to publish, and how. */
export function WishFields(props: { wish: Wish; set: (change: Partial<Wish>) => void }) {
  const { wish, set } = props;
  const devices = useDevices();
  const named = (kind: MediaDeviceKind) => devices.filter((d) => d.kind === kind && d.label !== "");
  return (
    <>
      <fieldset className="choice">
        <legend>What to publish</legend>
        {kinds.map(({ kind, label }) => (
          <label className="check" key={kind}>
            <input
              type="radio"
              name="kind"
              checked={wish.kind === kind}
              onChange={() => set({ kind })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      {wish.kind === "camera" && (
        <Device
          label="Camera"
          devices={named("videoinput")}
          value={wish.camera}
          onChange={(camera) => set({ camera })}
        />
      )}
      <Check checked={wish.sound} onChange={(sound) => set({ sound })}>
        {wish.kind === "camera" ? "With the microphone" : "With the sound of the tab or system"}
      </Check>
      {wish.kind === "camera" && wish.sound && (
        <Device
          label="Microphone"
          devices={named("audioinput")}
          value={wish.microphone}
          onChange={(microphone) => set({ microphone })}
        />
      )}
      <Field label="Lines, at most">
        <select
          value={wish.height}
          onChange={(event) => set({ height: Number(event.target.value) })}
        >
          {heights.map((height) => (
            <option key={height} value={height}>
              {height}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Codec" hint="H.264 plays everywhere; AV1 needs the fewest bits.">
        <select value={wish.codec} onChange={(event) => set({ codec: event.target.value })}>
          <option value="">As the browser likes</option>
          {videoCodecs().map((codec) => (
            <option key={codec}>{codec}</option>
          ))}
        </select>
      </Field>
    </>
  );
}

/** One choice among devices; without any that are named there is none. */
function Device(props: {
  label: string;
  devices: MediaDeviceInfo[];
  value: string;
  onChange: (id: string) => void;
}) {
  if (props.devices.length < 2) return null;
  return (
    <Field label={props.label}>
      <select value={props.value} onChange={(event) => props.onChange(event.target.value)}>
        <option value="">As the browser likes</option>
        {props.devices.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** The devices of this machine; they have names once one of them was allowed. */
function useDevices(): MediaDeviceInfo[] {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  useEffect(() => {
    const media = navigator.mediaDevices;
    const read = () => void media.enumerateDevices().then(setDevices, () => undefined);
    read();
    media.addEventListener("devicechange", read);
    return () => media.removeEventListener("devicechange", read);
  }, []);
  return devices;
}
