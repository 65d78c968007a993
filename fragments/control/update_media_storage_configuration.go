package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateMediaStorageConfiguration answers UpdateMediaStorageConfiguration: it
// maps a channel to the stream that keeps its media, one to one.
func (a *API) updateMediaStorageConfiguration(c *awsserve.Call, in *model.UpdateMediaStorageConfigurationInput) (*model.UpdateMediaStorageConfigurationOutput, error) {
	found, err := a.onChannel(c, nil, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	arn := ""
	if *in.MediaStorageConfiguration.Status == model.MediaStorageConfigurationStatusEnabled {
		if arn, err = a.storageFor(c, in.MediaStorageConfiguration.StreamARN); err != nil {
			return nil, err
		}
	}
	return &model.UpdateMediaStorageConfigurationOutput{}, a.channels.active(found, nil, func(h *channel) error {
		if other, ok := a.channels.mappedTo(arn); arn != "" && ok && other.Name != h.Name {
			return inUse("The stream keeps the media of the channel %s already.", other.Name)
		}
		h.Storage = arn
		return nil
	})
}

// storageFor finds the stream that shall keep media. Masters of the channel
// will write into it, and viewers watch it: who maps them must be allowed both,
// and who is not is not told whether the stream exists.
func (a *API) storageFor(c *awsserve.Call, arn *string) (string, error) {
	if arn == nil {
		return "", invalid("StreamARN is required when Status is %s.", model.MediaStorageConfigurationStatusEnabled)
	}
	s, err := a.streams.Find(nil, arn)
	for _, action := range []string{"kinesisvideo:PutMedia", "kinesisvideo:GetMedia"} {
		x := auth.Access{Action: action, Resource: *arn, ResourceTags: s.Tags()}
		if err := c.Identity.Authorize(x); err != nil {
			return "", err
		}
	}
	switch {
	case err != nil:
		return "", err
	case !s.Active():
		return "", inUse("The stream %s is not ACTIVE but %s.", s.Name, s.Status())
	case !s.Persisted():
		return "", noDataRetention(s.Name)
	}
	return s.ARN, nil
}
