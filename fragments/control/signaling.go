package control

import (
	"errors"

	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsapi/kvwebrtcstorage"
	"weir/internal/awsserve"
)

// This server keeps signalling channels but has no peers for them yet. Who
// names a channel that is there is told so; who names another, that it is not.
const noSignaling = "This server keeps signaling channels but does not connect their peers: it has no WebRTC yet."

// Signaling lists the operations of the service kinesis-video-signaling.
func (a *API) Signaling() *awsserve.Service {
	return &awsserve.Service{Model: kvsignaling.Model(), Failure: Failure, Entries: map[string]awsserve.Entry{
		"GetIceServerConfig": awsserve.Returns(func(c *awsserve.Call, in *kvsignaling.GetIceServerConfigRequest) (*kvsignaling.GetIceServerConfigResponse, error) {
			return nil, a.unconnected(c, in.ChannelARN)
		}),
		"SendAlexaOfferToMaster": awsserve.Returns(func(c *awsserve.Call, in *kvsignaling.SendAlexaOfferToMasterRequest) (*kvsignaling.SendAlexaOfferToMasterResponse, error) {
			return nil, a.unconnected(c, in.ChannelARN)
		}),
	}}
}

// WebRTCStorage lists the operations of the service
// kinesis-video-webrtc-storage.
func (a *API) WebRTCStorage() *awsserve.Service {
	return &awsserve.Service{Model: kvwebrtcstorage.Model(), Failure: storageFailure, Entries: map[string]awsserve.Entry{
		"JoinStorageSession": awsserve.Does(func(c *awsserve.Call, in *kvwebrtcstorage.JoinStorageSessionInput) error {
			return a.unconnected(c, in.ChannelArn)
		}),
		"JoinStorageSessionAsViewer": awsserve.Does(func(c *awsserve.Call, in *kvwebrtcstorage.JoinStorageSessionAsViewerInput) error {
			return a.unconnected(c, in.ChannelArn)
		}),
	}}
}

// unconnected refuses to connect the peers of a channel.
func (a *API) unconnected(c *awsserve.Call, arn *string) error {
	if _, err := a.onChannel(c, nil, arn, auth.Access{}); err != nil {
		return err
	}
	return invalid(noSignaling)
}

// storageFailure is Failure for the one service whose messages have another
// case.
func storageFailure(err error) error {
	err = Failure(err)
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "ResourceNotFoundException":
		return &kvwebrtcstorage.ResourceNotFoundException{Message: &e.Message}
	case "InvalidArgumentException":
		return &kvwebrtcstorage.InvalidArgumentException{Message: &e.Message}
	case "ClientLimitExceededException":
		return &kvwebrtcstorage.ClientLimitExceededException{Message: &e.Message}
	case "AccessDeniedException":
		return &kvwebrtcstorage.AccessDeniedException{Message: &e.Message}
	}
	return err
}
