package auth

import (
	"fmt"
	"net/http"
	"net/netip"

	"weir/internal/auth/policy"
)

// Access is what somebody wants to do, in the terms of policies.
type Access struct {
	Action       string            // "kinesis:PutRecords"
	Resource     string            // its ARN; "" for what has none
	ResourceTags map[string]string // those that the resource has
	RequestTags  map[string]string // those that the request gives it
	TagKeys      []string          // those that the request takes away
	Policy       *policy.Document  // the resource's own; nil for none
}

// The native API in the terms of policies.
const (
	actionAdminister = "weir:Administer"
	actionPublish    = "kinesisvideo:PutMedia"
	actionCreate     = "kinesisvideo:CreateStream"
	actionPlay       = "kinesisvideo:GetMedia"

	defaultAccount = "000000000000"
	defaultRegion  = "us-east-1"
)

// playActions are what the formats of playback need; what is not listed needs
// kinesisvideo:GetMedia.
func playActions() map[string]string {
	return map[string]string{
		"hls":   "kinesisvideo:GetHLSStreamingSessionURL",
		"dash":  "kinesisvideo:GetDASHStreamingSessionURL",
		"clip":  "kinesisvideo:GetClip",
		"frame": "kinesisvideo:GetImages",
	}
}

// origin is where a request comes from.
type origin struct {
	address netip.Addr
	secure  bool
	claimed string // the access key that the request names, verified or not
}

// Grant is what the owner of a key may do.
type Grant struct {
	All      bool   // everything: the root
	User     string // the name of the key
	Policies []*policy.Document
}

// ARN names the identity as policies do.
func (i Identity) ARN() string {
	account := defaultAccount
	if i.by != nil {
		account = i.by.account
	}
	if i.grant == nil && i.IsAdmin() {
		return "arn:aws:iam::" + account + ":root"
	}
	name := i.name
	if i.grant != nil {
		name = i.grant.User
	}
	return "arn:aws:iam::" + account + ":user/" + name
}

// Authorize tells whether the identity may do what it wants; an error is an
// *Error in the words of AWS, and is in the audit log already. A deny, in the
// identity's policies or the resource's, goes before every allow; the
// resource's may allow where the identity's are silent.
func (i Identity) Authorize(a Access) error {
	if a.Resource == "" {
		a.Resource = "*"
	}
	reason := i.reason(a)
	if reason == "" {
		return nil
	}
	err := &Error{Status: http.StatusForbidden, Code: "access_denied", aws: awsDenied,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", i.ARN(), a.Action, a.Resource, reason)}
	if i.by != nil {
		i.by.denied(Denial{Who: i.name, ARN: i.ARN(), Action: a.Action, Resource: a.Resource, Address: i.from.address, Code: err.Code, Reason: reason})
	}
	return err
}

// reason says why an access is denied, or "".
func (i Identity) reason(a Access) string {
	if i.grant == nil && i.IsAdmin() {
		return ""
	}
	r := i.request(a)
	allowed := false
	if i.grant != nil {
		for _, d := range i.grant.Policies {
			switch d.Evaluate(r) {
			case policy.Deny:
				return "with an explicit deny in an identity-based policy"
			case policy.Allow:
				allowed = true
			}
		}
	}
	switch a.Policy.Evaluate(r) {
	case policy.Deny:
		return "with an explicit deny in a resource-based policy"
	case policy.Allow:
		// Passwords and tokens are for what they say, and for no user.
		allowed = allowed || i.grant != nil
	}
	if allowed {
		return ""
	}
	return "because no identity-based policy allows the " + a.Action + " action"
}

func (i Identity) request(a Access) *policy.Request {
	r := &policy.Request{
		Action: a.Action, Resource: a.Resource, ResourceTags: a.ResourceTags, RequestTags: a.RequestTags, TagKeys: a.TagKeys,
		Account: defaultAccount, User: i.name, ARN: i.ARN(), Address: i.from.address, Secure: i.from.secure,
	}
	if i.grant != nil {
		r.User = i.grant.User
	}
	if i.by != nil {
		r.Account, r.Now = i.by.account, i.by.clock.Now()
	}
	return r
}

// allows asks the policies of a key about something of the native API.
func (i Identity) allows(action, stream string) bool {
	resource := "*"
	if stream != "" {
		resource = i.streamARN(stream)
	}
	return i.reason(Access{Action: action, Resource: resource}) == ""
}

// streamARN is the ARN of a video stream. As at AWS it ends with the time at
// which the stream was made, so that policies end with stream/NAME/*.
func (i Identity) streamARN(stream string) string {
	return fmt.Sprintf("arn:aws:kinesisvideo:%s:%s:stream/%s/%d", i.by.home, i.by.account, stream, i.by.streamEpoch(stream))
}

// mayByPolicy is May for keys that have policies.
func (i Identity) mayByPolicy(a Action, stream string) bool {
	switch a {
	case Publish:
		// Who publishes to a name that is not there makes the stream.
		return i.allows(actionPublish, stream) && (i.by.streamEpoch(stream) != 0 || i.allows(actionCreate, stream))
	case Play:
		if i.allows(actionPlay, stream) {
			return true
		}
		for _, action := range playActions() {
			if i.allows(action, stream) {
				return true
			}
		}
		return false
	}
	return i.allows(actionAdminister, "")
}

// mayPlayByPolicy is MayPlay for keys that have policies; no format means all.
func (i Identity) mayPlayByPolicy(stream, format string) bool {
	if format == "" {
		for _, action := range playActions() {
			if !i.allows(action, stream) {
				return false
			}
		}
		return i.allows(actionPlay, stream)
	}
	action, ok := playActions()[format]
	if !ok {
		action = actionPlay
	}
	return i.allows(action, stream)
}
