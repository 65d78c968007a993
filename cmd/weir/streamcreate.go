package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/internal/config"
)

type streamCreateCmd struct {
	Name      string            `arg:"" help:"Name of the stream: letters, digits, _ . -"`
	Shards    int32             `default:"1" xor:"capacity" help:"Number of shards."`
	OnDemand  bool              `xor:"capacity" help:"Let the stream choose the number of its shards by its load."`
	Retention config.Duration   `placeholder:"TIME" help:"How long records are kept, 24h to 365d. Default: 24h."`
	Encrypt   bool              `help:"Encrypt the records where they are stored."`
	Tag       map[string]string `placeholder:"KEY=VALUE" help:"Tags of the stream."`
}

// Help shows how it is used.
func (streamCreateCmd) Help() string {
	return "Examples:\n\n  weir stream create orders --shards 4 --retention 7d\n  weir stream create clicks --on-demand --encrypt"
}

// Run creates the stream and waits until it can be used.
func (r *streamCreateCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	hours := int32(r.Retention.Std() / time.Hour)
	if r.Retention != 0 && (hours < 24 || hours > 8760) {
		return &usageError{"--retention is 24h to 365d"}
	}
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	in := &kinesis.CreateStreamInput{StreamName: &r.Name, Tags: r.Tag}
	if r.OnDemand {
		in.StreamModeDetails = &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}
	} else {
		in.ShardCount = &r.Shards
	}
	if _, err := c.CreateStream(ctx, in); err != nil {
		return s.explain(err)
	}
	if err := r.finish(ctx, c, hours); err != nil {
		return fmt.Errorf("%s was created, but: %w", r.Name, s.explain(err))
	}
	summary, err := settled(ctx, c, r.Name)
	if err != nil {
		return s.explain(err)
	}
	if s.json() {
		return writeJSON(std.out, viewOf(summary))
	}
	_, err = fmt.Fprintf(std.out, "created %s with %d shards\n", r.Name, *summary.OpenShardCount)
	return err
}

// finish sets what CreateStream does not take.
func (r *streamCreateCmd) finish(ctx context.Context, c *kinesis.Client, hours int32) error {
	if _, err := settled(ctx, c, r.Name); err != nil {
		return err
	}
	if hours > 24 {
		if _, err := c.IncreaseStreamRetentionPeriod(ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &r.Name, RetentionPeriodHours: &hours}); err != nil {
			return err
		}
		if _, err := settled(ctx, c, r.Name); err != nil {
			return err
		}
	}
	if !r.Encrypt {
		return nil
	}
	_, err := c.StartStreamEncryption(ctx, &kinesis.StartStreamEncryptionInput{
		StreamName: &r.Name, EncryptionType: types.EncryptionTypeKms, KeyId: new("alias/aws/kinesis"),
	})
	return err
}
