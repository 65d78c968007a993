package archived

import (
	"crypto/sha256"
	"net/http"
	"strings"

	"weir/fragments/archive"
	"weir/internal/awsserve"
)

// What AWS imposes for its own capacity; only with the limits switched on.
// Beside calls it counts points on a stream: what an answer costs it to look up
// and to read.
const (
	maxSessions       = 25     // sessions begun a second, in the account
	maxCalls          = 25     // of every other operation a second, in the account
	maxLists          = 5      // playlists, manifests and init fragments a second, in a session
	maxMedia          = 20     // media fragments a second, in a session
	maxMetadataPoints = 10_000 // a second, on a stream: one for each fragment that is looked up
	maxMediaPoints    = 500    // a second, on a stream: one for each media fragment
)

// throttled is the refusal of one call too many.
func throttled(what string) error {
	return exception("ClientLimitExceededException", http.StatusBadRequest, "Rate exceeded: --aws-limits allows no more %s now. Try again later.", what)
}

// limitCall takes a call of an operation, which looks up so many fragments at
// most.
func (a *API) limitCall(c *awsserve.Call, s *archive.Stream, lookups int) error {
	now, name, most := a.opts.Clock.Now(), c.Operation.Name, float64(maxCalls)
	if strings.HasSuffix(name, "SessionURL") {
		most = maxSessions
	}
	if !a.quota.Take(name, 1, most, now) {
		return throttled("calls of " + name)
	}
	if !a.quota.Take("metadata "+string(s.ID()), float64(lookups), maxMetadataPoints, now) {
		return throttled("metadata of the stream")
	}
	return nil
}

// limitMedia takes the media of so many fragments of a stream.
func (a *API) limitMedia(s *archive.Stream, n int) error {
	if !a.quota.Take("media "+string(s.ID()), float64(n), maxMediaPoints, a.opts.Clock.Now()) {
		return throttled("media of the stream")
	}
	return nil
}

// limitRequest takes a request of a session's player.
func (a *API) limitRequest(x *request) error {
	if !a.quota.On() {
		return nil
	}
	path, now := x.r.URL.Path, a.opts.Clock.Now()
	digest := sha256.Sum256([]byte(x.token))
	session := string(digest[:])
	switch {
	case strings.HasSuffix(path, "MediaFragment.mp4"), strings.HasSuffix(path, ".ts"):
		if !a.quota.Take("session media "+session, 1, maxMedia, now) {
			return throttled("media fragments in the session")
		}
		return a.limitMedia(x.stream, 1)
	case !a.quota.Take("session lists "+session, 1, maxLists, now):
		return throttled("playlists in the session")
	case strings.HasSuffix(path, ".m3u8"), strings.HasSuffix(path, ".mpd"):
		if !a.quota.Take("metadata "+string(x.stream.ID()), float64(x.Results), maxMetadataPoints, now) {
			return throttled("metadata of the stream")
		}
	}
	return nil
}
