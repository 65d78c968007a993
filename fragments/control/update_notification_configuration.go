package control

import (
	"net/url"
	"strings"

	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateNotificationConfiguration answers UpdateNotificationConfiguration. A
// request without a configuration deletes it.
func (a *API) updateNotificationConfiguration(c *awsserve.Call, in *model.UpdateNotificationConfigurationInput) (*model.UpdateNotificationConfigurationOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	var document []byte
	if config := in.NotificationConfiguration; config != nil {
		uri := *config.DestinationConfig.Uri
		if err := checkNotification(uri); err != nil {
			return nil, err
		}
		if strings.HasPrefix(uri, dataStreams) { // nobody writes through Weir where he may not himself
			if err := c.Identity.Authorize(auth.Access{Action: "kinesis:PutRecord", Resource: uri}); err != nil {
				return nil, err
			}
		}
		if document, err = writeDocument(config); err != nil {
			return nil, err
		}
	}
	_, err = a.change(c, found, nil, func(s *Stream) error {
		if document != nil && !s.Persisted() {
			return noDataRetention(s.Name)
		}
		s.Attributes.Notification = document
		return nil
	})
	return &model.UpdateNotificationConfigurationOutput{}, err
}

// dataStreams begins the ARNs of data streams.
const dataStreams = "arn:aws:kinesis:"

// checkNotification refuses where no notification can be delivered to.
func checkNotification(uri string) error {
	if strings.HasPrefix(uri, dataStreams) {
		return nil
	}
	if u, err := url.Parse(uri); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	return invalid("This server delivers notifications to webhooks, as in https://host/path, and to data streams, as in %sREGION:ACCOUNT:stream/NAME, not to %s.", dataStreams, uri)
}
