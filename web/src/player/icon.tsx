const paths = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  back: "M11 12 20 5v14zM3 12l9-7v14z",
  forward: "M13 12 4 5v14zM21 12l-9-7v14z",
  sound: "M4 9v6h4l5 5V4L8 9zM16 8.500a5 5 0 0 1 0 7l1.400 1.400a7 7 0 0 0 0-9.800z",
  muted: "M4 9v6h4l5 5V4L8 9zM16 9l5 6M21 9l-5 6",
  screen: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
};

/** A small picture on a button. */
export function Icon(props: { name: keyof typeof paths }) {
  return (
    <svg className={`icon ${props.name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[props.name]} />
    </svg>
  );
}
