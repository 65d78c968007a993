import { useState } from "react";

/** A text to copy, with the button that does it. */
export function Copy(props: { label: string; text: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(props.text);
    setDone(true);
    window.setTimeout(() => setDone(false), 2000);
  };
  return (
    <div className="copy">
      <span className="label">{props.label}</span>
      <code tabIndex={0}>{props.text}</code>
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${props.label}`}>
        {done ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
