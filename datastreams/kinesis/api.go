// Package kinesis is the API of Kinesis Data Streams over HTTP: one file an
// operation, each of which authorises, calls package streams, and turns what
// comes back into the shapes of the model.
//
// It has no semantics of its own: what a stream does is in package streams, how
// bytes become records in package shardlog. PutRecord, PutRecords, GetRecords
// and SubscribeToShard read and write their bodies by hand, since they are
// where the time goes (scan.go, records.go); tests hold them against the
// ordinary way.
package kinesis

import (
	"errors"

	"weir/datastreams/streams"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// API answers the operations.
type API struct {
	streams  *streams.Streams
	policies policies
}

// New returns the API of streams.
func New(s *streams.Streams) *API { return &API{streams: s} }

// Service lists all operations for package awsserve.
func (a *API) Service() *awsserve.Service {
	return &awsserve.Service{Model: model.Model(), Failure: failure, Entries: map[string]awsserve.Entry{
		"AddTagsToStream":                        awsserve.Does(a.addTagsToStream),
		"CreateChannel":                          awsserve.Returns(a.createChannel),
		"CreateStream":                           awsserve.Does(a.createStream),
		"DecreaseStreamRetentionPeriod":          awsserve.Does(a.decreaseStreamRetentionPeriod),
		"DeleteChannel":                          awsserve.Does(a.deleteChannel),
		"DeleteResourcePolicy":                   awsserve.Does(a.deleteResourcePolicy),
		"DeleteStream":                           awsserve.Does(a.deleteStream),
		"DeregisterStreamConsumer":               awsserve.Does(a.deregisterStreamConsumer),
		"DescribeAccountSettings":                awsserve.Returns(a.describeAccountSettings),
		"DescribeChannel":                        awsserve.Returns(a.describeChannel),
		"DescribeLimits":                         awsserve.Returns(a.describeLimits),
		"DescribeStream":                         awsserve.Returns(a.describeStream),
		"DescribeStreamConsumer":                 awsserve.Returns(a.describeStreamConsumer),
		"DescribeStreamSummary":                  awsserve.Returns(a.describeStreamSummary),
		"DisableEnhancedMonitoring":              awsserve.Returns(a.disableEnhancedMonitoring),
		"EnableEnhancedMonitoring":               awsserve.Returns(a.enableEnhancedMonitoring),
		"GetRecords":                             awsserve.Writes(a.getRecords),
		"GetResourcePolicy":                      awsserve.Returns(a.getResourcePolicy),
		"GetShardIterator":                       awsserve.Returns(a.getShardIterator),
		"IncreaseStreamRetentionPeriod":          awsserve.Does(a.increaseStreamRetentionPeriod),
		"ListChannels":                           awsserve.Returns(a.listChannels),
		"ListShards":                             awsserve.Returns(a.listShards),
		"ListStreamConsumers":                    awsserve.Returns(a.listStreamConsumers),
		"ListStreams":                            awsserve.Returns(a.listStreams),
		"ListTagsForResource":                    awsserve.Returns(a.listTagsForResource),
		"ListTagsForStream":                      awsserve.Returns(a.listTagsForStream),
		"MergeShards":                            awsserve.Does(a.mergeShards),
		"PutRecord":                              fast(awsserve.Writes(a.putRecord), a.putRecordFast),
		"PutRecords":                             fast(awsserve.Writes(a.putRecords), a.putRecordsFast),
		"PutResourcePolicy":                      awsserve.Does(a.putResourcePolicy),
		"RegisterStreamConsumer":                 awsserve.Returns(a.registerStreamConsumer),
		"RemoveTagsFromStream":                   awsserve.Does(a.removeTagsFromStream),
		"SplitShard":                             awsserve.Does(a.splitShard),
		"StartStreamEncryption":                  awsserve.Does(a.startStreamEncryption),
		"StopStreamEncryption":                   awsserve.Does(a.stopStreamEncryption),
		"SubscribeToShard":                       {Stream: a.subscribeToShard},
		"TagResource":                            awsserve.Does(a.tagResource),
		"UntagResource":                          awsserve.Does(a.untagResource),
		"UpdateAccountSettings":                  awsserve.Returns(a.updateAccountSettings),
		"UpdateChannel":                          awsserve.Returns(a.updateChannel),
		"UpdateMaxRecordSize":                    awsserve.Does(a.updateMaxRecordSize),
		"UpdateShardCount":                       awsserve.Returns(a.updateShardCount),
		"UpdateStreamMode":                       awsserve.Does(a.updateStreamMode),
		"UpdateStreamRecordDistributionStrategy": awsserve.Does(a.updateStreamRecordDistributionStrategy),
		"UpdateStreamWarmThroughput":             awsserve.Returns(a.updateStreamWarmThroughput),
	}}
}

func fast(e awsserve.Entry, f awsserve.Fast) awsserve.Entry {
	e.Fast = f
	return e
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// present is a pointer to v, or nil for the zero value.
func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// ref names a stream by what an input has.
func ref(name, arn *string) streams.Ref { return streams.Ref{Name: value(name), ARN: value(arn)} }

// failure turns errors of package streams into exceptions of the model, and
// refusals into those of AWS.
func failure(err error) error {
	var denied *auth.Error
	if errors.As(err, &denied) {
		return &model.AccessDeniedException{Message: new(denied.AWS(false).Message)}
	}
	var e *streams.Error
	if !errors.As(err, &e) {
		return err
	}
	if x := exception(e.Kind, e.Message); x != nil {
		return x
	}
	return err
}

// exception makes the exception of a kind; nil means a failure of ours.
func exception(k streams.Kind, message string) awsapi.Exception {
	m := &message
	switch k {
	case streams.NotFound:
		return &model.ResourceNotFoundException{Message: m}
	case streams.InUse:
		return &model.ResourceInUseException{Message: m}
	case streams.LimitExceeded:
		return &model.LimitExceededException{Message: m}
	case streams.InvalidArgument:
		return &model.InvalidArgumentException{Message: m}
	case streams.Throttled:
		return &model.ProvisionedThroughputExceededException{Message: m}
	case streams.ExpiredIterator:
		return &model.ExpiredIteratorException{Message: m}
	case streams.ExpiredNextToken:
		return &model.ExpiredNextTokenException{Message: m}
	case streams.Validation:
		return &model.ValidationException{Message: m}
	case streams.AccessDenied:
		return &model.AccessDeniedException{Message: m}
	case streams.DryRun:
		return &model.DryRunOperationException{Message: m}
	}
	return keyException(k, m)
}

// keyException makes the exceptions of encryption.
func keyException(k streams.Kind, m *string) awsapi.Exception {
	switch k {
	case streams.KMSDisabled:
		return &model.KMSDisabledException{Message: m}
	case streams.KMSInvalidState:
		return &model.KMSInvalidStateException{Message: m}
	case streams.KMSAccessDenied:
		return &model.KMSAccessDeniedException{Message: m}
	case streams.KMSNotFound:
		return &model.KMSNotFoundException{Message: m}
	case streams.KMSOptInRequired:
		return &model.KMSOptInRequired{Message: m}
	case streams.KMSThrottling:
		return &model.KMSThrottlingException{Message: m}
	}
	return nil
}
