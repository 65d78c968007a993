import { Check, Field } from "./field";
import type { FieldsProps } from "./streamdialog";

/** How Weir reaches the camera. */
export function PullFields({ draft, set, wrong }: FieldsProps) {
  return (
    <>
      <Field
        label="Address of the camera"
        hint="As the camera's manual gives it; rtsp:// or rtsps://"
        wrong={wrong === "source.url"}
      >
        <input
          value={draft.url}
          onChange={(event) => set({ url: event.target.value })}
          placeholder="rtsp://192.168.1.20:554/stream1"
          inputMode="url"
          spellCheck={false}
          required
        />
      </Field>
      <div className="columns">
        <Field label="User name">
          <input
            value={draft.username}
            onChange={(event) => set({ username: event.target.value })}
            autoComplete="off"
            spellCheck={false}
          />
        </Field>
        <Field label="Password" wrong={wrong === "source.password"}>
          <input
            type="password"
            value={draft.password}
            onChange={(event) => set({ password: event.target.value })}
            autoComplete="new-password"
          />
        </Field>
        <Field label="Transport" wrong={wrong === "source.transport"}>
          <select
            value={draft.transport}
            onChange={(event) => set({ transport: event.target.value })}
          >
            <option value="auto">Automatic</option>
            <option value="tcp">TCP</option>
            <option value="udp">UDP</option>
            <option value="http">HTTP tunnel</option>
          </select>
        </Field>
      </div>
      <Check checked={draft.onDemand} onChange={(onDemand) => set({ onDemand })}>
        Connect only while somebody watches (nothing is recorded in between)
      </Check>
      {draft.url.startsWith("rtsps:") && (
        <Check checked={draft.insecure} onChange={(insecure) => set({ insecure })}>
          Accept any certificate of the camera
        </Check>
      )}
    </>
  );
}
