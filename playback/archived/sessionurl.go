package archived

import (
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
)

// value is what p points to, or a default.
func value[T any](p *T, usual T) T {
	if p != nil {
		return *p
	}
	return usual
}

// getHLSStreamingSessionURL begins a session of HLS.
func (a *API) getHLSStreamingSessionURL(c *awsserve.Call, in *model.GetHLSStreamingSessionURLInput) (*model.GetHLSStreamingSessionURLOutput, error) {
	w := wish{
		name: in.StreamName, arn: in.StreamARN, format: "hls", expires: in.Expires, results: in.MaxMediaPlaylistFragmentResults,
		mode: mode(value(in.PlaybackMode, model.HLSPlaybackModeLive)), axis: serverAxis,
	}
	if s := in.HLSFragmentSelector; s != nil {
		w.axis = axis(value(s.FragmentSelectorType, model.HLSFragmentSelectorTypeServerTimestamp))
		if r := s.TimestampRange; r != nil {
			w.from, w.to = r.StartTimestamp, r.EndTimestamp
		}
	}
	breaks := model.HLSDiscontinuityModeAlways
	if w.axis == producerAxis {
		breaks = model.HLSDiscontinuityModeNever
	}
	w.session = session{
		Breaks: string(value(in.DiscontinuityMode, breaks)),
		TS:     value(in.ContainerFormat, model.ContainerFormatFragmentedMp4) == model.ContainerFormatMpegTs,
		Times:  value(in.DisplayFragmentTimestamp, model.HLSDisplayFragmentTimestampNever) == model.HLSDisplayFragmentTimestampAlways,
	}
	address, err := a.begin(c, w, "/hls/v1/getHLSMasterPlaylist.m3u8")
	return &model.GetHLSStreamingSessionURLOutput{HLSStreamingSessionURL: address}, err
}

// getDASHStreamingSessionURL begins a session of DASH.
func (a *API) getDASHStreamingSessionURL(c *awsserve.Call, in *model.GetDASHStreamingSessionURLInput) (*model.GetDASHStreamingSessionURLOutput, error) {
	w := wish{
		name: in.StreamName, arn: in.StreamARN, format: "dash", expires: in.Expires, results: in.MaxManifestFragmentResults,
		mode: mode(value(in.PlaybackMode, model.DASHPlaybackModeLive)), axis: serverAxis,
	}
	if s := in.DASHFragmentSelector; s != nil {
		w.axis = axis(value(s.FragmentSelectorType, model.DASHFragmentSelectorTypeServerTimestamp))
		if r := s.TimestampRange; r != nil {
			w.from, w.to = r.StartTimestamp, r.EndTimestamp
		}
	}
	w.session = session{
		Times: value(in.DisplayFragmentTimestamp, model.DASHDisplayFragmentTimestampNever) == model.DASHDisplayFragmentTimestampAlways,
		Ids:   value(in.DisplayFragmentNumber, model.DASHDisplayFragmentNumberNever) == model.DASHDisplayFragmentNumberAlways,
	}
	address, err := a.begin(c, w, "/dash/v1/getDASHManifest.mpd")
	return &model.GetDASHStreamingSessionURLOutput{DASHStreamingSessionURL: address}, err
}
