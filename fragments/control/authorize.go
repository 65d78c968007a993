package control

import (
	"weir/internal/auth"
	"weir/internal/awsserve"
)

// onAccount asks whether the caller may do an operation that concerns no
// resource, and how often.
func (a *API) onAccount(c *awsserve.Call) error {
	if err := c.Identity.Authorize(auth.Access{Action: action(c), Resource: "*"}); err != nil {
		return err
	}
	return a.limit(c, "")
}

// onNew asks whether the caller may make a resource, which is not there yet.
func (a *API) onNew(c *awsserve.Call, kind, name string, tags map[string]string) error {
	x := auth.Access{Action: action(c), Resource: a.place.unborn(kind, name), RequestTags: tags}
	if err := c.Identity.Authorize(x); err != nil {
		return err
	}
	return a.limit(c, "")
}

// onStream finds the stream of an operation that the caller may do there.
func (a *API) onStream(c *awsserve.Call, name, arn *string) (Stream, error) {
	return a.onStreamTags(c, name, arn, auth.Access{})
}

// onStreamTags is onStream for operations that change tags.
func (a *API) onStreamTags(c *awsserve.Call, name, arn *string, x auth.Access) (Stream, error) {
	s, err := a.streams.authorize(c, name, arn, x)
	if err != nil {
		return s, err
	}
	return s, a.limit(c, s.ARN)
}

// onChannel finds the channel of an operation that the caller may do there. As
// with streams, who may not is not told whether it exists.
func (a *API) onChannel(c *awsserve.Call, name, arn *string, x auth.Access) (channel, error) {
	x.Action = action(c)
	found, err := a.mayChannel(c.Identity, name, arn, x)
	if err != nil {
		return channel{}, err
	}
	return found, a.limit(c, found.ARN)
}

// mayChannel finds the channel that an identity may do something with.
func (a *API) mayChannel(id auth.Identity, name, arn *string, x auth.Access) (channel, error) {
	found, missing := a.channels.find(name, arn)
	x.Resource, x.ResourceTags = found.ARN, found.Tags
	switch {
	case missing == nil:
	case arn != nil:
		x.Resource = *arn
	case name != nil:
		x.Resource = a.place.unborn(channelKind, *name)
	}
	if err := id.Authorize(x); err != nil {
		return channel{}, err
	}
	return found, missing
}

// change lets edit change the stream of an operation, which must be ACTIVE and
// of the version that the caller names, if it names one.
func (a *API) change(c *awsserve.Call, found Stream, current *string, edit func(*Stream) error) (Stream, error) {
	return a.edit(c, found, func(s *Stream) error {
		switch {
		case !s.Active():
			return inUse("The stream %s is not ACTIVE but %s.", s.Name, s.Status())
		case current != nil && *current != s.Version():
			return versionMismatch(streamKind, s.Name)
		}
		return edit(s)
	})
}

// edit lets edit change a stream in any state but DELETING.
func (a *API) edit(c *awsserve.Call, found Stream, edit func(*Stream) error) (Stream, error) {
	changed, err := a.catalogue.Change(c.Request.Context(), found.Name, a.editor(found, edit))
	return a.streams.stream(changed), err
}
