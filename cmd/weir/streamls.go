package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type streamLsCmd struct{}

// streamView is a data stream as programs get it.
type streamView struct {
	Name           string    `json:"name"`
	ARN            string    `json:"arn"`
	Status         string    `json:"status"`
	Mode           string    `json:"mode"`
	OpenShards     int32     `json:"openShards"`
	Consumers      int32     `json:"consumers"`
	RetentionHours int32     `json:"retentionHours"`
	Encryption     string    `json:"encryption"`
	Created        time.Time `json:"created"`
}

func viewOf(s *types.StreamDescriptionSummary) streamView {
	v := streamView{
		Name: *s.StreamName, ARN: *s.StreamARN, Status: string(s.StreamStatus), OpenShards: *s.OpenShardCount,
		RetentionHours: *s.RetentionPeriodHours, Encryption: string(s.EncryptionType), Created: *s.StreamCreationTimestamp,
	}
	if s.ConsumerCount != nil {
		v.Consumers = *s.ConsumerCount
	}
	if s.StreamModeDetails != nil {
		v.Mode = string(s.StreamModeDetails.StreamMode)
	}
	return v
}

// Run lists the streams.
func (streamLsCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	list := []streamView{}
	pages := kinesis.NewListStreamsPaginator(c, &kinesis.ListStreamsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.explain(err)
		}
		for _, name := range page.StreamNames {
			out, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
			if err != nil {
				return s.explain(err)
			}
			list = append(list, viewOf(out.StreamDescriptionSummary))
		}
	}
	if s.json() {
		return writeJSON(std.out, map[string]any{"streams": list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(std.out, "no data streams yet; weir stream create NAME makes one")
		return err
	}
	rows := [][]string{{"NAME", "STATUS", "MODE", "SHARDS", "CONSUMERS", "RETENTION", "ENCRYPTION", "CREATED"}}
	for _, v := range list {
		rows = append(rows, []string{
			v.Name, statusText(std.out, v.Status), modeText(v.Mode), fmt.Sprint(v.OpenShards), fmt.Sprint(v.Consumers),
			hoursText(v.RetentionHours), v.Encryption, timeText(v.Created),
		})
	}
	return table(std.out, rows)
}

func statusText(w io.Writer, status string) string {
	if status == string(types.StreamStatusActive) {
		return paint(w, "green", status)
	}
	return paint(w, "yellow", status)
}

func modeText(mode string) string {
	if mode == string(types.StreamModeOnDemand) {
		return "on demand"
	}
	return "provisioned"
}

func hoursText(hours int32) string {
	if hours >= 48 && hours%24 == 0 {
		return fmt.Sprintf("%d days", hours/24)
	}
	return fmt.Sprintf("%d h", hours)
}
