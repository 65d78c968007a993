package archived

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
	"weir/internal/media"
	"weir/playback/clip"
)

// Limits of a clip, as AWS has them.
const (
	maxClipFragments = 200
	maxClipBytes     = 100 << 20
)

// getClip answers with the fragments that start in a range as one MP4 file, or
// with as many of the first of them as a clip can have.
func (a *API) getClip(c *awsserve.Call, in awsapi.Value, w http.ResponseWriter) error {
	req := in.(*model.GetClipInput)
	_, s, err := a.openKept(c, req.StreamName, req.StreamARN)
	if err != nil {
		return err
	}
	r := req.ClipFragmentSelector.TimestampRange
	wanted, err := spanOf(axis(*req.ClipFragmentSelector.FragmentSelectorType), r.StartTimestamp, r.EndTimestamp, maxRange)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	items, err := clipItems(ctx, s, wanted)
	if err != nil {
		return err
	}
	if err := a.limitCall(c, s, len(items)); err != nil {
		return err
	}
	if err := a.limitMedia(s, len(items)); err != nil {
		return err
	}
	// All of the last fragment belongs to it, also sound that is behind its
	// last picture.
	end := time.Unix(0, items[len(items)-1].Fragment.End()).Add(fragments.MaxDuration)
	file, err := clip.New(ctx, runs{s}, clip.MP4, items, time.Unix(0, items[0].Fragment.Start), end)
	if errors.Is(err, clip.ErrEmpty) {
		return notFound("No fragments found in the stream for the clip.")
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", clip.MP4.ContentType())
	w.Header().Set("Content-Length", strconv.FormatInt(file.Size(), 10))
	if _, err := io.Copy(w, file.Reader(ctx)); err != nil {
		return fmt.Errorf("send a clip: %w", err)
	}
	return nil
}

// clipItems selects the fragments of a clip. Where some overlap, those that
// came first stay.
func clipItems(ctx context.Context, s *archive.Stream, wanted span) ([]clip.Item, error) {
	var all []fragments.Fragment
	for f, err := range wanted.fragments(ctx, s, place{}) {
		if err != nil {
			return nil, err
		}
		if len(all) == clip.MaxFragments {
			break
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return nil, notFound("No fragments found in the stream for the clip: none starts in the range.")
	}
	kept := oldest(all)
	size, begin := int64(0), kept[0].Init
	first, err := s.Tracks(begin)
	if err != nil {
		return nil, err
	}
	var items []clip.Item
	for _, f := range kept {
		full := len(items) == maxClipFragments || time.Duration(f.End()-kept[0].Start) > clip.MaxDuration-fragments.MaxDuration
		if size += f.Len; len(items) > 0 && (full || size > maxClipBytes) {
			break
		}
		tracks, err := s.Tracks(f.Init)
		if err != nil {
			return nil, err
		}
		if !sameForm(first, tracks) {
			return nil, unsupported("The number of tracks or their codecs change within the clip, at fragment %s.", f.Number)
		}
		items = append(items, clip.Item{Fragment: f, Tracks: tracks})
	}
	return items, checkClip(first)
}

// checkClip tells whether MP4 files can hold the tracks.
func checkClip(tracks []media.Track) error {
	fit := 0
	for i := range tracks {
		if err := checkTrack(&tracks[i]); err != nil {
			return err
		}
		if tracks[i].Codec != media.Opaque {
			fit++
		}
	}
	if fit == 0 {
		return unsupported("None of the tracks has a media type that a clip can have.")
	}
	return nil
}

// oldest leaves out what overlaps fragments that came earlier, and returns the
// others in order of their start.
func oldest(all []fragments.Fragment) []fragments.Fragment {
	slices.SortFunc(all, func(a, b fragments.Fragment) int { return cmp.Compare(a.Number, b.Number) })
	var kept []fragments.Fragment // in order of start, none overlaps another
	for _, f := range all {
		at, _ := slices.BinarySearchFunc(kept, f.Start, func(k fragments.Fragment, start int64) int { return cmp.Compare(k.Start, start) })
		slack := int64(fragments.MaxJoinGap)
		if at > 0 && kept[at-1].End()-slack > f.Start || at < len(kept) && (f.Start == kept[at].Start || f.End()-slack > kept[at].Start) {
			continue
		}
		kept = slices.Insert(kept, at, f)
	}
	return kept
}

// runs reads the samples of clips from the archive.
type runs struct{ s *archive.Stream }

// ReadRun implements clip.Source.
func (r runs) ReadRun(ctx context.Context, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	out := make([]fragments.Sample, 0, run.Samples)
	err := r.s.WalkRun(ctx, f, run.Track, func(x fragments.Sample) error {
		out = append(out, x) // the run's bytes are ours: nothing else uses them
		return nil
	})
	return out, err
}
