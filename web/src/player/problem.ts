import { ErrorDetails, ErrorTypes, type ErrorData } from "hls.js";

export interface Problem {
  text: string;
  /** Whether it may be over if one tries again. */
  passing: boolean;
}

/** Says in words why nothing plays, and what to do. */
export function problemIn(data: ErrorData, live: boolean): Problem {
  switch (data.details) {
    case ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR:
    case ErrorDetails.BUFFER_ADD_CODEC_ERROR:
    case ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR:
      return {
        text: "This browser cannot decode the stream's codec. Download a clip, play it over RTSP, or set the camera to H.264.",
        passing: false,
      };
    case ErrorDetails.LEVEL_EMPTY_ERROR:
      return nothing(live);
  }
  if (data.type !== ErrorTypes.NETWORK_ERROR) {
    return {
      text: `The browser could not play this part of the stream (${data.details}). Try another time.`,
      passing: live,
    };
  }
  const status = data.response?.code ?? 0;
  switch (status) {
    case 401:
      return { text: "The session has ended. Log in again.", passing: false };
    case 403:
      return { text: "You may not play this stream.", passing: false };
    case 404:
      return nothing(live);
    case 415:
    case 422:
      return {
        text: "No track of this stream fits into HLS. Play it over RTSP, or download a Matroska clip.",
        passing: false,
      };
    case 0:
      return { text: "Weir does not answer. Trying again…", passing: true };
  }
  return { text: `Weir answered ${status}. Trying again…`, passing: true };
}

function nothing(live: boolean): Problem {
  return live
    ? { text: "The stream has no media yet. It plays as soon as there is some.", passing: true }
    : { text: "Nothing was recorded from this time on.", passing: false };
}
