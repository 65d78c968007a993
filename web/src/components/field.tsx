import type { ReactNode } from "react";

/** A labelled input with a hint below it. */
export function Field(props: {
  label: string;
  hint?: string;
  wrong?: boolean;
  children: ReactNode;
}) {
  return (
    <label className={props.wrong ? "field wrong" : "field"}>
      <span>{props.label}</span>
      {props.children}
      {props.hint && <small>{props.hint}</small>}
    </label>
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
