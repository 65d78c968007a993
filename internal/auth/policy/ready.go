package policy

// Ready-made policies, by the names that stand for them.

// Names lists the ready-made policies.
func Names() []string { return []string{"admin", "read-only", "publish", "play"} }

// Named returns the text of a ready-made policy.
func Named(name string) (string, bool) {
	actions, ok := map[string]string{
		"admin": `"*"`,
		"read-only": `[
    "kinesis:Describe*", "kinesis:Get*", "kinesis:List*", "kinesis:SubscribeToShard",
    "firehose:Describe*", "firehose:List*",
    "kinesisanalytics:Describe*", "kinesisanalytics:List*", "kinesisanalytics:DiscoverInputSchema",
    "kinesisvideo:Describe*", "kinesisvideo:Get*", "kinesisvideo:List*"
  ]`,
		"publish": `[
    "kinesis:PutRecord", "kinesis:PutRecords", "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards",
    "firehose:PutRecord", "firehose:PutRecordBatch", "firehose:DescribeDeliveryStream",
    "kinesisvideo:PutMedia", "kinesisvideo:GetDataEndpoint", "kinesisvideo:DescribeStream",
    "kinesisvideo:DescribeSignalingChannel", "kinesisvideo:GetSignalingChannelEndpoint", "kinesisvideo:GetIceServerConfig",
    "kinesisvideo:ConnectAsMaster", "kinesisvideo:JoinStorageSession"
  ]`,
		"play": `[
    "kinesisvideo:GetMedia", "kinesisvideo:GetMediaForFragmentList", "kinesisvideo:ListFragments",
    "kinesisvideo:GetHLSStreamingSessionURL", "kinesisvideo:GetDASHStreamingSessionURL",
    "kinesisvideo:GetClip", "kinesisvideo:GetImages",
    "kinesisvideo:GetDataEndpoint", "kinesisvideo:DescribeStream", "kinesisvideo:ListStreams",
    "kinesisvideo:DescribeSignalingChannel", "kinesisvideo:GetSignalingChannelEndpoint", "kinesisvideo:GetIceServerConfig",
    "kinesisvideo:ConnectAsViewer"
  ]`,
	}[name]
	if !ok {
		return "", false
	}
	return `{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": ` + actions + `, "Resource": "*"}]
}`, true
}
