package main

import (
	"maps"

	"weir/fragments/control"
	"weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
	"weir/playback/archived"
	"weir/playback/getmedia"
)

// registerArchived registers Kinesis Video Archived Media, and what players of
// its sessions fetch.
func (n *node) registerArchived(mux *awsserve.Mux, lists *getmedia.API) error {
	api := archived.New(archived.Options{
		Streams: control.NewStreams(n.catalogue, n.settings.Region, n.settings.Account), Archive: n.archive,
		Sealer: n.keyring, Tokens: n.verifier, Clock: n.clock, Log: n.log,
		Address: n.apiAddress, Makers: n.makers, Limits: n.settings.AWSLimits,
	})
	api.Register(n.server)
	entries := api.Entries()
	maps.Copy(entries, lists.ArchivedEntries())
	return mux.RegisterPaths(n.server, &awsserve.Service{Model: kvarchived.Model(), Entries: entries, Failure: archived.Failure})
}
