// Package control is the control plane of Kinesis Video Streams: one file an
// operation, over the video streams of package catalogue and the signalling
// channels that it keeps itself.
//
// A stream that is made here is the same as one of the native API or of «weir
// video», and the other way round. What the AWS API says of a stream beyond its
// definition lies with the definition, as catalogue.Attributes:
//
//	DataRetentionInHours   Record and Retention.Hours: 0 is a stream that is
//	                       not recorded, of which a few minutes are kept; one
//	                       without a limit shows the most, 87600
//	Version                a digest of the id and of how often it was changed,
//	                       by whichever API
//	StreamARN              arn:aws:kinesisvideo:REGION:ACCOUNT:stream/NAME/CREATED,
//	                       the last in milliseconds
//	Status                 CREATING, UPDATING and DELETING until the worker has
//	                       been there; what the native API does is done at once
//
//	video/channel/<name>   a signalling channel, JSON
//
// Where the peers of a channel meet is package signaling; here it is decided who
// may connect.
//
// Package control carries no media: where it is put and read, GetDataEndpoint
// says. Who serves that finds streams with [Streams].
package control
