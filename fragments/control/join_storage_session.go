package control

import (
	"context"
	"net/http"
	"net/netip"

	"weir/internal/awsapi/kvwebrtcstorage"
	"weir/internal/awsserve"
	"weir/internal/signaling"
)

// Storage has the storage sessions of channels: the peers that this server is
// itself.
type Storage interface {
	// Join begins a session with one peer of a channel: what the master sends
	// goes into the stream, a viewer gets what is in it. It returns when the
	// offer to the peer is on its way.
	Join(ctx context.Context, s StorageSession) error
}

// StorageSession is what a peer asks to join.
type StorageSession struct {
	Channel signaling.Channel
	Party   signaling.Party
	Stream  Stream     // that the channel is mapped to
	Remote  netip.Addr // where the request came from
	Who     string     // asked, for the log
}

// NoWebRTC refuses what needs WebRTC on a server without.
func NoWebRTC() error {
	return invalid("This server has no WebRTC: start it with an address for --webrtc-listen.")
}

// TooMany refuses a session for which there is no room.
func TooMany(why error) error {
	return exception("ClientLimitExceededException", http.StatusBadRequest, "%v", why)
}

// joinStorageSession answers JoinStorageSession.
func (a *API) joinStorageSession(c *awsserve.Call, in *kvwebrtcstorage.JoinStorageSessionInput) error {
	return a.join(c, in.ChannelArn, signaling.Party{Role: signaling.Master})
}

// joinStorageSessionAsViewer answers JoinStorageSessionAsViewer.
func (a *API) joinStorageSessionAsViewer(c *awsserve.Call, in *kvwebrtcstorage.JoinStorageSessionAsViewerInput) error {
	return a.join(c, in.ChannelArn, signaling.Party{Role: signaling.Viewer, ClientID: *in.ClientId})
}

func (a *API) join(c *awsserve.Call, arn *string, p signaling.Party) error {
	found, err := a.activeChannel(c, arn)
	switch {
	case err != nil:
		return err
	case found.Storage == "":
		return invalid("The channel %s stores no media: enable it with UpdateMediaStorageConfiguration first.", found.Name)
	case a.opts.Storage == nil:
		return NoWebRTC()
	}
	s, err := a.streams.Find(nil, &found.Storage)
	switch {
	case err != nil:
		return err
	case !s.Active():
		return invalid("The stream %s is not ACTIVE but %s.", s.Name, s.Status())
	case !s.Persisted():
		return invalid("The stream %s keeps no data. Give it a retention with UpdateDataRetention first.", s.Name)
	}
	remote, _ := netip.ParseAddrPort(c.Request.RemoteAddr)
	return a.opts.Storage.Join(c.Request.Context(), StorageSession{
		Channel: found.signaling(), Party: p, Stream: s, Remote: remote.Addr().Unmap(), Who: c.Identity.Name(),
	})
}
