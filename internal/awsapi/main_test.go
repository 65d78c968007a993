package awsapi_test

import (
	"flag"
	"os"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/awsapi/firehose"
	"weir/internal/awsapi/kinesis"
	"weir/internal/awsapi/kinesisanalytics"
	"weir/internal/awsapi/kinesisanalyticsv2"
	"weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsapi/kvarchived"
	"weir/internal/awsapi/kvmedia"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsapi/kvwebrtcstorage"
)

// TestMain has few checks made of each property, since every one of a thousand
// structures is checked.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func services() []*awsapi.Service {
	return []*awsapi.Service{
		firehose.Model(), kinesis.Model(), kinesisanalytics.Model(), kinesisanalyticsv2.Model(), kinesisvideo.Model(),
		kvarchived.Model(), kvmedia.Model(), kvsignaling.Model(), kvwebrtcstorage.Model(),
	}
}
