import { Check, Field } from "./field";
import type { FieldsProps } from "./streamdialog";

/** What is kept of a stream, and for how long. */
export function StorageFields({ draft, set, wrong }: FieldsProps) {
  return (
    <>
      <Check checked={draft.record} onChange={(record) => set({ record })}>
        Record
      </Check>
      {draft.record && (
        <div className="columns">
          <Field
            label="Keep for, hours"
            hint="Empty: the default"
            wrong={wrong === "retention.hours"}
          >
            <input
              type="number"
              min="0"
              max="87600"
              step="any"
              value={draft.hours}
              onChange={(event) => set({ hours: event.target.value })}
            />
          </Field>
          <Field
            label="Keep at most, GB"
            hint="Empty: the default"
            wrong={wrong === "retention.bytes"}
          >
            <input
              type="number"
              min="0"
              step="any"
              value={draft.gigabytes}
              onChange={(event) => set({ gigabytes: event.target.value })}
            />
          </Field>
          <Field label="Container" hint="Of new chunks" wrong={wrong === "container"}>
            <select
              value={draft.container}
              onChange={(event) => set({ container: event.target.value })}
            >
              <option value="mp4">MP4</option>
              <option value="mkv">Matroska</option>
            </select>
          </Field>
        </div>
      )}
    </>
  );
}
