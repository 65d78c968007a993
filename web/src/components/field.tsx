import type { ReactNode } from "react";

/** A labelled input with a hint below it. */
export function Field(props: {
  label: string;
  hint?: string;
  wrong?: boolean;
  children: ReactNode;
}) {
  return (
    <div className={props.wrong ? "field wrong" : "field"}>
      <label>
        <span>{props.label}</span>
        {props.children}
      </label>
      {props.hint && <small>{props.hint}</small>}
    </div>
  );
}

/** A tick box with its words. */
export function Check(props: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}) {
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      <span>{props.children}</span>
    </label>
  );
}
