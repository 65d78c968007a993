package main_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"

	"weir/internal/testkit"
)

// peerTime is how long peers may take to find each other.
const peerTime = 30 * time.Second

// createChannel makes a signalling channel and returns its ARN.
func createChannel(t *testing.T, w *testkit.Weir, name string) string {
	t.Helper()
	var out struct{ ChannelARN string }
	ask(t, w, "/createSignalingChannel", map[string]any{"ChannelName": name}, &out)
	return out.ChannelARN
}

// ask sends a request of an AWS API that must succeed.
func ask(t *testing.T, w *testkit.Weir, path string, in map[string]any, out any) {
	t.Helper()
	status, data := w.Do(t, http.MethodPost, path, in)
	if status != http.StatusOK {
		t.Fatalf("%s %v: %d %s", path, in, status, data)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// signalingEndpoint asks where a channel's WebSocket is.
func signalingEndpoint(t *testing.T, w *testkit.Weir, arn string) string {
	t.Helper()
	var out struct {
		ResourceEndpointList []struct{ Protocol, ResourceEndpoint string }
	}
	ask(t, w, "/getSignalingChannelEndpoint", map[string]any{
		"ChannelARN": arn, "SingleMasterChannelEndpointConfiguration": map[string]any{"Protocols": []string{"WSS"}, "Role": "MASTER"},
	}, &out)
	return out.ResourceEndpointList[0].ResourceEndpoint
}

// presigned is the address at which a client connects. Viewer is "" for the
// master.
func presigned(t *testing.T, endpoint, arn, viewer, accessKey, secretKey string) string {
	t.Helper()
	q := url.Values{"X-Amz-ChannelARN": {arn}, "X-Amz-Expires": {"299"}}
	if viewer != "" {
		q.Set("X-Amz-ClientId", viewer)
	}
	r, err := http.NewRequest(http.MethodGet, strings.Replace(endpoint, "ws", "http", 1)+"?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, empty, "kinesisvideo", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// signalingClient is a client of a channel.
type signalingClient struct {
	t    *testing.T
	conn *websocket.Conn
}

func connectSignaling(t *testing.T, w *testkit.Weir, arn, viewer string) *signalingClient {
	t.Helper()
	address := presigned(t, signalingEndpoint(t, w, arn), arn, viewer, w.AccessKey, w.SecretKey)
	conn, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatalf("connect %q: %v\n%s", viewer, err, w.Output())
	}
	t.Cleanup(func() { conn.CloseNow() })
	return &signalingClient{t, conn}
}

// signal is a message of either direction.
type signal struct {
	Action            string          `json:"action,omitempty"`
	RecipientClientID string          `json:"recipientClientId,omitempty"`
	CorrelationID     string          `json:"correlationId,omitempty"`
	MessageType       string          `json:"messageType,omitempty"`
	SenderClientID    string          `json:"senderClientId,omitempty"`
	MessagePayload    string          `json:"messagePayload,omitempty"`
	StatusResponse    *signalResponse `json:"statusResponse,omitempty"`
}

type signalResponse struct{ CorrelationID, ErrorType, StatusCode, Description string }

func (c *signalingClient) send(action, to string, payload any) {
	c.t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := json.Marshal(signal{Action: action, RecipientClientID: to, CorrelationID: "c1", MessagePayload: base64.StdEncoding.EncodeToString(data)})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, m); err != nil {
		c.t.Fatal(err)
	}
}

// receive waits for a message and decodes its payload.
func (c *signalingClient) receive(payload any) (signal, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), peerTime)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	if err != nil {
		return signal{}, err
	}
	var m signal
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	text, err := base64.StdEncoding.DecodeString(m.MessagePayload)
	if err != nil || len(text) == 0 || payload == nil {
		return m, err
	}
	return m, json.Unmarshal(text, payload)
}

// expect waits for a message of a type.
func (c *signalingClient) expect(kind string, payload any) signal {
	c.t.Helper()
	m, err := c.receive(payload)
	if err != nil || m.MessageType != kind {
		c.t.Fatalf("got %+v, %v, want %s", m, err, kind)
	}
	return m
}

// TestSignaling connects a master and a viewer, with what they may and may not.
func TestSignaling(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	arn := createChannel(t, w, "bell")
	viewer := connectSignaling(t, w, arn, "v1")
	viewer.send("SDP_OFFER", "", map[string]string{"type": "offer", "sdp": "v=0"}) // waits for the master
	master := connectSignaling(t, w, arn, "")
	var offer map[string]string
	if m := master.expect("SDP_OFFER", &offer); m.SenderClientID != "v1" || offer["sdp"] != "v=0" {
		t.Errorf("the master got %+v, %v", m, offer)
	}
	master.send("SDP_ANSWER", "v1", map[string]string{"type": "answer"})
	if m := viewer.expect("SDP_ANSWER", nil); m.SenderClientID != "" {
		t.Errorf("the viewer got %+v", m)
	}
	master.send("SDP_ANSWER", "", map[string]string{})
	if m := master.expect("STATUS_RESPONSE", nil); m.StatusResponse == nil || m.StatusResponse.ErrorType != "InvalidArgumentException" || m.StatusResponse.CorrelationID != "c1" {
		t.Errorf("an answer to nobody: %+v", m.StatusResponse)
	}
	t.Run("Alexa", func(t *testing.T) {
		answered := make(chan string, 1)
		go func() {
			var out struct{ Answer string }
			_, data, err := w.Try(http.MethodPost, "/v1/send-alexa-offer-to-master", map[string]any{
				"ChannelARN": arn, "SenderClientId": "echo", "MessagePayload": base64.StdEncoding.EncodeToString([]byte(`{"type":"offer"}`)),
			})
			if err == nil {
				err = json.Unmarshal(data, &out)
			}
			answered <- fmt.Sprint(out.Answer, err)
		}()
		if m := master.expect("SDP_OFFER", nil); m.SenderClientID != "echo" {
			t.Errorf("the master got %+v", m)
		}
		master.send("ICE_CANDIDATE", "echo", map[string]string{})
		master.send("SDP_ANSWER", "echo", "hello")
		if got, want := <-answered, base64.StdEncoding.EncodeToString([]byte(`"hello"`))+"<nil>"; got != want {
			t.Errorf("Alexa got %s, want %s", got, want)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		connectSignaling(t, w, arn, "v1")
		_, err := viewer.receive(nil)
		if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the old connection ended with %v", err)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		ask(t, w, "/deleteSignalingChannel", map[string]any{"ChannelARN": arn}, nil)
		_, err := master.receive(nil)
		if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the connection to a channel that is deleted ended with %v", err)
		}
	})
}

// TestSignalingDrains stops a server that has clients: they are told to connect
// again, and it does not wait for them.
func TestSignalingDrains(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	viewer := connectSignaling(t, w, createChannel(t, w, "bell"), "v1")
	ended := make(chan error, 1)
	go func() {
		viewer.expect("GO_AWAY", nil)
		_, err := viewer.receive(nil)
		ended <- err
	}()
	w.Stop(t)
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the connection ended with %v", err)
	}
}

// TestSignalingRefuses connects in ways that are not allowed.
func TestSignalingRefuses(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	arn := createChannel(t, w, "bell")
	watcher := makeKey(t, w, "watcher", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "kinesisvideo:ConnectAsViewer", "Resource": "arn:aws:kinesisvideo:*:*:channel/bell/*"}]}`)
	endpoint := signalingEndpoint(t, w, arn)
	sign := func(arn, viewer string) string { return presigned(t, endpoint, arn, viewer, w.AccessKey, w.SecretKey) }
	whole := sign(arn, "v")
	for _, c := range []struct {
		name, address, code string
		status              int
	}{
		{"unsigned", strings.SplitN(whole, "?", 2)[0] + "?X-Amz-ChannelARN=" + url.QueryEscape(arn), "MissingAuthenticationTokenException", 403},
		{"changed after it was signed", strings.Replace(whole, "ClientId=v", "ClientId=w", 1), "InvalidSignatureException", 403},
		{"without a channel", sign("", "v"), "InvalidArgumentException", 400},
		{"another channel", sign(strings.Replace(arn, "bell", "nosuch", 1), "v"), "ResourceNotFoundException", 404},
		{"a name of AWS", sign(arn, "AWS_v"), "InvalidArgumentException", 400},
		{"as master, which the policy does not allow", presigned(t, endpoint, arn, "", watcher.AccessKey, watcher.SecretKey), "AccessDeniedException", 403},
	} {
		conn, answer, err := websocket.Dial(t.Context(), c.address, nil)
		if err == nil {
			conn.CloseNow()
			t.Errorf("%s: connected", c.name)
			continue
		}
		if answer == nil || answer.StatusCode != c.status || answer.Header.Get("X-Amzn-Errortype") != c.code {
			t.Errorf("%s: %v, want %d %s", c.name, answer, c.status, c.code)
		}
	}
	conn, _, err := websocket.Dial(t.Context(), presigned(t, endpoint+"/", arn, "v", watcher.AccessKey, watcher.SecretKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.CloseNow()
	// A plain request, and one with credentials that a page could send unasked.
	for _, address := range []string{whole, strings.SplitN(whole, "?", 2)[0] + "?X-Amz-ChannelARN=" + url.QueryEscape(arn)} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if address != whole {
			r.SetBasicAuth(w.AccessKey, w.SecretKey)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 400 && answer.StatusCode != 403 {
			t.Errorf("%d", answer.StatusCode)
		}
	}
}

// TestPeersThroughTURN lets two peers that may only use relays talk with each
// other, over channels and ICE servers as clients of Kinesis get them.
func TestPeersThroughTURN(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil, "--turn-listen", fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)))
	arn := createChannel(t, w, "bell")
	var config struct {
		IceServerList []struct {
			Uris               []string
			Username, Password string
			TTL                int `json:"Ttl"`
		}
	}
	ask(t, w, "/v1/get-ice-server-config", map[string]any{"ChannelARN": arn, "ClientId": "v1", "Service": "TURN"}, &config)
	if len(config.IceServerList) != 1 || config.IceServerList[0].TTL != 300 || len(config.IceServerList[0].Uris) != 3 {
		t.Fatalf("ICE servers: %+v", config)
	}
	server := config.IceServerList[0]
	for _, uri := range server.Uris[1:] {
		t.Run(uri[strings.Index(uri, "?")+1:], func(t *testing.T) {
			servers := []webrtc.ICEServer{{URLs: []string{uri}, Username: server.Username, Credential: server.Password}}
			master := newRelayedPeer(t, connectSignaling(t, w, arn, ""), servers, "v1")
			viewer := newRelayedPeer(t, connectSignaling(t, w, arn, "v1"), servers, "")
			heard := make(chan string, 1)
			master.pc.OnDataChannel(func(d *webrtc.DataChannel) {
				d.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
			})
			d, err := viewer.pc.CreateDataChannel("talk", nil)
			if err != nil {
				t.Fatal(err)
			}
			d.OnOpen(func() { _ = d.SendText("hello") })
			viewer.offer()
			select {
			case text := <-heard:
				if text != "hello" {
					t.Errorf("heard %q", text)
				}
			case <-time.After(peerTime):
				t.Fatalf("the peers did not find each other\n%s", w.Output())
			}
			pair, err := viewer.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
			if err != nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay {
				t.Errorf("they talk by %v, %v", pair, err)
			}
		})
	}
}

// relayedPeer is a peer that uses relays only.
type relayedPeer struct {
	t    *testing.T
	pc   *webrtc.PeerConnection
	line *signalingClient
	to   string
}

func newRelayedPeer(t *testing.T, line *signalingClient, servers []webrtc.ICEServer, to string) *relayedPeer {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{ICEServers: servers, ICETransportPolicy: webrtc.ICETransportPolicyRelay})
	if err != nil {
		t.Fatal(err)
	}
	p := &relayedPeer{t, pc, line, to}
	done := make(chan struct{})
	t.Cleanup(func() {
		line.conn.CloseNow()
		<-done
		pc.GracefulClose()
	})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			line.send("ICE_CANDIDATE", to, c.ToJSON())
		}
	})
	go func() {
		defer close(done)
		p.listen()
	}()
	return p
}

func (p *relayedPeer) offer() {
	p.t.Helper()
	o, err := p.pc.CreateOffer(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.pc.SetLocalDescription(o); err != nil {
		p.t.Fatal(err)
	}
	p.line.send("SDP_OFFER", p.to, o)
}

// listen takes what the other peer sends. Candidates may come before the
// description.
func (p *relayedPeer) listen() {
	var early []webrtc.ICECandidateInit
	for {
		var payload struct {
			webrtc.SessionDescription
			webrtc.ICECandidateInit
		}
		m, err := p.line.receive(&payload)
		if err != nil {
			return
		}
		switch m.MessageType {
		case "ICE_CANDIDATE":
			if p.pc.RemoteDescription() == nil {
				early = append(early, payload.ICECandidateInit)
			} else if err := p.pc.AddICECandidate(payload.ICECandidateInit); err != nil {
				p.t.Error(err)
			}
			continue
		case "SDP_OFFER", "SDP_ANSWER":
			if err := p.pc.SetRemoteDescription(payload.SessionDescription); err != nil {
				p.t.Error(err)
				return
			}
		}
		for _, c := range early {
			if err := p.pc.AddICECandidate(c); err != nil {
				p.t.Error(err)
			}
		}
		early = nil
		if m.MessageType == "SDP_OFFER" {
			p.answer()
		}
	}
}

func (p *relayedPeer) answer() {
	a, err := p.pc.CreateAnswer(nil)
	if err == nil {
		err = p.pc.SetLocalDescription(a)
	}
	if err != nil {
		p.t.Error(err)
		return
	}
	p.line.send("SDP_ANSWER", p.to, a)
}
