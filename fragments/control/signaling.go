package control

import (
	"errors"
	"net/http"
	"time"

	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsapi/kvwebrtcstorage"
	"weir/internal/awsserve"
	"weir/internal/server"
	"weir/internal/signaling"
)

// Signaling lists the operations of the service kinesis-video-signaling.
func (a *API) Signaling() *awsserve.Service {
	return &awsserve.Service{Model: kvsignaling.Model(), Failure: signalingFailure, Entries: map[string]awsserve.Entry{
		"GetIceServerConfig":     awsserve.Returns(a.getICEServerConfig),
		"SendAlexaOfferToMaster": awsserve.Returns(a.sendAlexaOfferToMaster),
	}}
}

// WebRTCStorage lists the operations of the service
// kinesis-video-webrtc-storage.
func (a *API) WebRTCStorage() *awsserve.Service {
	return &awsserve.Service{Model: kvwebrtcstorage.Model(), Failure: storageFailure, Entries: map[string]awsserve.Entry{
		"JoinStorageSession":         awsserve.Does(a.joinStorageSession),
		"JoinStorageSessionAsViewer": awsserve.Does(a.joinStorageSessionAsViewer),
	}}
}

// signalingPath is the path of the WebSocket. Some clients put a slash behind
// every address.
const signalingPath = "/signaling"

// RegisterSignaling registers the WebSocket of signalling channels.
func (a *API) RegisterSignaling(m *awsserve.Mux, r server.Routes) {
	s := a.Signaling()
	for _, path := range []string{signalingPath, signalingPath + "/{$}"} {
		m.RegisterRaw(r, "GET "+path, "Connect", s, a.connect)
	}
}

// tell tells the broker of a change of a channel.
func (a *API) tell(c *channel, gone bool) {
	if gone {
		a.opts.Broker.Drop(c.ARN)
		return
	}
	a.opts.Broker.Configure(c.signaling())
}

// signaling is the channel as the broker knows it.
func (c *channel) signaling() signaling.Channel {
	return signaling.Channel{ARN: c.ARN, TTL: time.Duration(c.MessageTTL) * time.Second, Stores: c.Storage != ""}
}

// activeChannel finds the channel of an operation on its peers, which must be
// there for them.
func (a *API) activeChannel(c *awsserve.Call, arn *string) (channel, error) {
	found, err := a.onChannel(c, nil, arn, auth.Access{})
	if err == nil && found.State == catalogue.Deleting {
		err = noChannel(found.ARN)
	}
	return found, err
}

// signalingFailure is Failure for what the broker refuses as well.
func signalingFailure(err error) error {
	var r *signaling.Refusal
	if errors.As(err, &r) {
		return exception(r.ErrorType, r.Code, "%s", r.Description)
	}
	return Failure(err)
}

// storageFailure is signalingFailure for the one service whose messages have
// another case.
func storageFailure(err error) error {
	err = signalingFailure(err)
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

// connect answers ConnectAsMaster, and ConnectAsViewer when the request names a
// client.
func (a *API) connect(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	q := r.URL.Query()
	party, action := signaling.Party{}, "ConnectAsMaster"
	if q.Has("X-Amz-ClientId") {
		party, action = signaling.Party{Role: signaling.Viewer, ClientID: q.Get("X-Amz-ClientId")}, "ConnectAsViewer"
	}
	if _, signed := id.Scope(); !signed {
		// A cookie comes by itself, from any page: what connects must sign.
		return exception("AccessDeniedException", http.StatusForbidden, "The request must be signed.")
	}
	arn := q.Get("X-Amz-ChannelARN")
	if arn == "" {
		return invalid("X-Amz-ChannelARN is missing.")
	}
	found, err := a.mayChannel(id, nil, &arn, auth.Access{Action: "kinesisvideo:" + action})
	switch {
	case err != nil:
		return err
	case found.State == catalogue.Deleting:
		return noChannel(arn)
	case !signaling.IsUpgrade(r):
		return invalid("Connect with a WebSocket (RFC 6455, over HTTP/1.1).")
	}
	e, err := a.opts.Broker.Join(found.signaling(), party)
	if err != nil {
		return err
	}
	a.opts.Broker.Serve(w, r, e)
	return nil
}
