package control

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/quota"
	"weir/internal/signaling"
)

// Options are what the control plane stands on.
type Options struct {
	Streams   *Streams
	Meta      meta.Store
	Clock     clock.Clock
	Log       *slog.Logger
	AWSLimits bool // impose the limits that AWS has for its own capacity
	// Address is where the client of a request reaches this server:
	// http://host:port or https://host, without a slash at the end.
	Address func(*http.Request) string
	// Broker joins the peers of signalling channels.
	Broker *signaling.Broker
	// ICEServers are those that a client of a channel may use, with
	// credentials of its own; nil where there are none.
	ICEServers func(r *http.Request, channel, client string) []kvsignaling.IceServer
	// Storage has the storage sessions of channels; nil where there is no
	// WebRTC.
	Storage Storage
}

// API answers the control plane.
type API struct {
	opts      Options
	streams   *Streams
	catalogue *catalogue.Catalogue
	place     place
	channels  *channels
	worker    *worker
	limits    *quota.Limiter
}

// New returns the control plane. Streams and channels reach their next state
// while its Run goes on.
func New(opts Options) (*API, error) {
	a := &API{opts: opts, streams: opts.Streams, catalogue: opts.Streams.catalogue, place: opts.Streams.place, limits: quota.New(opts.AWSLimits)}
	a.worker = newWorker(opts.Log)
	var err error
	if a.channels, err = openChannels(opts.Meta, opts.Clock, a.place, a.tell); err != nil {
		return nil, err
	}
	a.resume()
	return a, nil
}

// Run brings streams and channels from CREATING, UPDATING and DELETING to
// where they go, until ctx ends.
func (a *API) Run(ctx context.Context) { a.worker.run(ctx, a.advance) }

// Service lists the operations of the service kinesisvideo for package
// awsserve.
func (a *API) Service() *awsserve.Service {
	return &awsserve.Service{Model: model.Model(), Failure: Failure, Entries: map[string]awsserve.Entry{
		"CreateSignalingChannel":               awsserve.Returns(a.createSignalingChannel),
		"CreateStream":                         awsserve.Returns(a.createStream),
		"DeleteEdgeConfiguration":              awsserve.Returns(a.deleteEdgeConfiguration),
		"DeleteSignalingChannel":               awsserve.Returns(a.deleteSignalingChannel),
		"DeleteStream":                         awsserve.Returns(a.deleteStream),
		"DescribeEdgeConfiguration":            awsserve.Returns(a.describeEdgeConfiguration),
		"DescribeImageGenerationConfiguration": awsserve.Returns(a.describeImageGenerationConfiguration),
		"DescribeMappedResourceConfiguration":  awsserve.Returns(a.describeMappedResourceConfiguration),
		"DescribeMediaStorageConfiguration":    awsserve.Returns(a.describeMediaStorageConfiguration),
		"DescribeNotificationConfiguration":    awsserve.Returns(a.describeNotificationConfiguration),
		"DescribeSignalingChannel":             awsserve.Returns(a.describeSignalingChannel),
		"DescribeStream":                       awsserve.Returns(a.describeStream),
		"DescribeStreamStorageConfiguration":   awsserve.Returns(a.describeStreamStorageConfiguration),
		"GetDataEndpoint":                      awsserve.Returns(a.getDataEndpoint),
		"GetSignalingChannelEndpoint":          awsserve.Returns(a.getSignalingChannelEndpoint),
		"ListEdgeAgentConfigurations":          awsserve.Returns(a.listEdgeAgentConfigurations),
		"ListSignalingChannels":                awsserve.Returns(a.listSignalingChannels),
		"ListStreams":                          awsserve.Returns(a.listStreams),
		"ListTagsForResource":                  awsserve.Returns(a.listTagsForResource),
		"ListTagsForStream":                    awsserve.Returns(a.listTagsForStream),
		"StartEdgeConfigurationUpdate":         awsserve.Returns(a.startEdgeConfigurationUpdate),
		"TagResource":                          awsserve.Returns(a.tagResource),
		"TagStream":                            awsserve.Returns(a.tagStream),
		"UntagResource":                        awsserve.Returns(a.untagResource),
		"UntagStream":                          awsserve.Returns(a.untagStream),
		"UpdateDataRetention":                  awsserve.Returns(a.updateDataRetention),
		"UpdateImageGenerationConfiguration":   awsserve.Returns(a.updateImageGenerationConfiguration),
		"UpdateMediaStorageConfiguration":      awsserve.Returns(a.updateMediaStorageConfiguration),
		"UpdateNotificationConfiguration":      awsserve.Returns(a.updateNotificationConfiguration),
		"UpdateSignalingChannel":               awsserve.Returns(a.updateSignalingChannel),
		"UpdateStream":                         awsserve.Returns(a.updateStream),
		"UpdateStreamStorageConfiguration":     awsserve.Returns(a.updateStreamStorageConfiguration),
	}}
}

// now is the time as the metadata holds it.
func (a *API) now() time.Time { return a.opts.Clock.Now().UTC().Truncate(time.Millisecond) }
