package main

import (
	"net"
	"net/http"

	"weir/fragments/control"
	"weir/internal/awsserve"
)

// registerControl registers the control plane of Kinesis Video Streams, and
// starts its worker.
func (n *node) registerControl(mux *awsserve.Mux) error {
	if err := n.openSignaling(); err != nil {
		return err
	}
	api, err := control.New(control.Options{
		Streams: control.NewStreams(n.catalogue, n.settings.Region, n.settings.Account), Meta: n.meta, Clock: n.clock, Log: n.log,
		AWSLimits: n.settings.AWSLimits,
		Address:   n.apiAddress,
		Broker:    n.broker, ICEServers: n.iceServers, Storage: storageSessions{n},
	})
	if err != nil {
		return err
	}
	for _, s := range []*awsserve.Service{api.Service(), api.Signaling(), api.WebRTCStorage()} {
		if err := mux.RegisterPaths(n.server, s); err != nil {
			return err
		}
	}
	api.RegisterSignaling(mux, n.server)
	done := make(chan struct{})
	n.wg.Go(func() {
		defer close(done)
		api.Run(n.ctx)
	})
	n.onClose("control plane", func() error { <-done; return nil })
	return nil
}

// apiAddress is where the client of a request of an AWS API reaches this
// server. The producer library of Kinesis Video leaves the port out of Host: a
// Host that is the very address at which the connection arrived gets the port
// that it arrived at.
func (n *node) apiAddress(r *http.Request) string {
	address, _ := n.addresses(r)
	if n.settings.PublicURL != "" {
		return address
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return address
	}
	host, port, err := net.SplitHostPort(local.String())
	if err != nil || r.Host != host {
		return address
	}
	return address + ":" + port
}
