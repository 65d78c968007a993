package control

import (
	"time"

	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeStream answers DescribeStream.
func (a *API) describeStream(c *awsserve.Call, in *model.DescribeStreamInput) (*model.DescribeStreamOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return &model.DescribeStreamOutput{StreamInfo: new(a.info(&s))}, nil
}

// info is a stream as the API shows it.
func (a *API) info(s *Stream) model.StreamInfo {
	key := s.Attributes.KMSKey
	if key == "" {
		key = "arn:aws:kms:" + a.place.region + ":" + a.place.account + ":alias/aws/kinesisvideo"
	}
	return model.StreamInfo{
		DeviceName: present(s.Attributes.DeviceName), StreamName: &s.Name, StreamARN: &s.ARN, MediaType: present(s.Attributes.MediaType),
		KmsKeyId: &key, Version: new(s.Version()), Status: new(model.Status(s.Status())),
		CreationTime: timestamp(s.Created), DataRetentionInHours: new(int32(s.RetentionHours())),
	}
}

func timestamp(t time.Time) *awsapi.Timestamp { return new(awsapi.TimestampOf(t)) }
