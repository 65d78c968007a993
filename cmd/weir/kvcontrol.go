package main

import (
	"net/http"

	"weir/fragments/control"
	"weir/internal/awsserve"
)

// registerControl registers the control plane of Kinesis Video Streams, and
// starts its worker.
func (n *node) registerControl(mux *awsserve.Mux) error {
	api, err := control.New(control.Options{
		Streams: control.NewStreams(n.catalogue, n.settings.Region, n.settings.Account), Meta: n.meta, Clock: n.clock, Log: n.log,
		AWSLimits: n.settings.AWSLimits,
		Address: func(r *http.Request) string {
			address, _ := n.addresses(r)
			return address
		},
	})
	if err != nil {
		return err
	}
	for _, s := range []*awsserve.Service{api.Service(), api.Signaling(), api.WebRTCStorage()} {
		if err := mux.RegisterPaths(n.server, s); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	n.wg.Go(func() {
		defer close(done)
		api.Run(n.ctx)
	})
	n.onClose("control plane", func() error { <-done; return nil })
	return nil
}
