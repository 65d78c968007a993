package main

import (
	"maps"

	"weir/fragments/control"
	"weir/ingest/putmedia"
	"weir/internal/awsapi/kvmedia"
	"weir/internal/awsserve"
	"weir/playback/getmedia"
)

// registerMedia registers Kinesis Video Media: what is put comes in by one
// room and goes out by another.
func (n *node) registerMedia(mux *awsserve.Mux) error {
	streams := control.NewStreams(n.catalogue, n.settings.Region, n.settings.Account)
	in := putmedia.New(putmedia.Options{
		Streams: streams, Archive: n.archive, Hub: n.hub, Clock: n.clock, Log: n.log, Limits: n.settings.AWSLimits,
	})
	out := getmedia.New(getmedia.Options{Streams: streams, Archive: n.archive, Clock: n.clock, Log: n.log, Limits: n.settings.AWSLimits})
	n.catalogue.Listen(in)
	n.catalogue.Listen(out)
	entries := in.Entries()
	maps.Copy(entries, out.Entries())
	if err := mux.RegisterPaths(n.server, &awsserve.Service{Model: kvmedia.Model(), Entries: entries, Failure: control.Failure}); err != nil {
		return err
	}
	return n.registerArchived(mux, out)
}
