package control

import (
	"context"
	"errors"

	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsserve"
	"weir/internal/signaling"
)

// sendAlexaOfferToMaster answers SendAlexaOfferToMaster: for as long as a
// message of the channel waits for its receiver, it is a viewer that has only
// an offer, and waits for the answer.
func (a *API) sendAlexaOfferToMaster(c *awsserve.Call, in *kvsignaling.SendAlexaOfferToMasterRequest) (*kvsignaling.SendAlexaOfferToMasterResponse, error) {
	found, err := a.activeChannel(c, in.ChannelARN)
	if err != nil {
		return nil, err
	}
	channel := found.signaling()
	e, err := a.opts.Broker.JoinIfAway(channel, signaling.Party{Role: signaling.Viewer, ClientID: *in.SenderClientId})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(c.Request.Context(), channel.TTL)
	defer cancel()
	if err := e.Send(signaling.Message{Type: signaling.Offer, Payload: *in.MessagePayload}); err != nil {
		return nil, err
	}
	for {
		event, err := e.Receive(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, notFound("No master of the channel has answered within %d seconds.", found.MessageTTL)
		case err != nil:
			return nil, notFound("No master of the channel has answered: %v.", err)
		case event.Type == signaling.Answer:
			return &kvsignaling.SendAlexaOfferToMasterResponse{Answer: &event.Payload}, nil
		}
	}
}
