import { Copy } from "./copy";
import { Check, Field } from "./field";
import type { FieldsProps } from "./streamdialog";

/** How a producer reaches Weir. */
export function PushFields({
  draft,
  set,
  wrong,
  rtsp,
}: FieldsProps & { rtsp: string | undefined }) {
  const base = rtsp ?? `rtsp://${location.hostname}:8554`;
  const name = draft.name.trim() || "NAME";
  const address = `${base}/${name}`;
  const open = base.replace("://", "://producer:PASSWORD@");
  return (
    <>
      <Field
        label="Publish password"
        hint="Opens this stream only, with any user name. Without one, producers use an access key and its secret."
        wrong={wrong === "publishPassword"}
      >
        <input
          type="password"
          value={draft.publishPassword}
          onChange={(event) => set({ publishPassword: event.target.value })}
          autoComplete="new-password"
          maxLength={128}
        />
      </Field>
      <Check checked={draft.takeover} onChange={(takeover) => set({ takeover })}>
        A new producer replaces the one that is connected
      </Check>
      <Copy label="Address to push to" text={address} />
      <Copy
        label="With ffmpeg"
        text={`ffmpeg -re -i input.mp4 -c copy -f rtsp -rtsp_transport tcp ${open}/${name}`}
      />
      <Copy
        label="From OBS and others, over WHIP"
        text={`${location.origin}/v1/video/${encodeURIComponent(name)}/whip`}
      />
      <small>
        The camera or screen of a browser publishes from the page of the stream, once it is there.
      </small>
    </>
  );
}
