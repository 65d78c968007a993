package streams

import (
	"context"
	"slices"
	"time"
)

// UpdateMode changes between provisioned and on-demand. The shards stay.
func (s *Streams) UpdateMode(ctx context.Context, arn string, mode Mode, warmMiBps int) error {
	return s.alter(ctx, Ref{ARN: arn}, func(v *view, row *streamRow) error {
		if mode != Provisioned && mode != OnDemand {
			return fail(Validation, "1 validation error detected: Value '%s' at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]", mode)
		}
		if mode != OnDemand && warmMiBps != 0 {
			return fail(InvalidArgument, "WarmThroughputMiBps can only be set for streams in ON_DEMAND mode.")
		}
		if mode == row.Mode {
			return fail(Validation, "Stream %s under account %s is already in %s mode.", row.Name, s.opts.Account, mode)
		}
		row.ModeChanges = lastDay(row.ModeChanges, s.now())
		if s.opts.Limits && len(row.ModeChanges) >= awsModeChanges {
			return fail(LimitExceeded, "Stream %s under account %s can not switch its mode more than %d times within 24 hours.", row.Name, s.opts.Account, awsModeChanges)
		}
		row.ModeChanges = append(row.ModeChanges, s.now())
		row.Mode, row.WarmMiBps = mode, 0
		if mode == Provisioned {
			row.Distribution = UserPartitionKey
			return s.checkShardLimit(len(v.shards.open))
		}
		return s.warm(v, row, warmMiBps)
	})
}

// checkWarm refuses a warm throughput that the account may not have.
func (s *Streams) checkWarm(mibps int) error {
	if mibps == 0 {
		return nil
	}
	if mibps < 0 || mibps > maxWarmMiBps {
		return fail(InvalidArgument, "WarmThroughputMiBps %d is not between 0 and %d.", mibps, maxWarmMiBps)
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	return s.checkCommitted()
}

// checkCommitted refuses what takes the billing commitment. The caller holds
// admin.
func (s *Streams) checkCommitted() error {
	if !s.account.CommitmentOn {
		return fail(Validation, "Warm throughput needs the minimum throughput billing commitment of account %s. Enable it with UpdateAccountSettings.", s.opts.Account)
	}
	return nil
}

// warm prepares a stream for a load: it gets that many shards, at least. The
// caller holds admin.
func (s *Streams) warm(v *view, row *streamRow, mibps int) error {
	if mibps > 0 {
		if err := s.checkCommitted(); err != nil {
			return err
		}
	}
	row.WarmMiBps = mibps
	if want := min(mibps, maxShards); want > len(v.shards.open) {
		row.Pending = &pending{Kind: pendingReshard, Target: want}
	}
	return nil
}

// WarmThroughputOutput is the answer of UpdateWarmThroughput.
type WarmThroughputOutput struct {
	Name string
	ARN  string
	WarmThroughput
}

// UpdateWarmThroughput prepares an on-demand stream for a load.
func (s *Streams) UpdateWarmThroughput(ctx context.Context, ref Ref, mibps int) (WarmThroughputOutput, error) {
	if err := s.operation("UpdateStreamWarmThroughput", 5); err != nil {
		return WarmThroughputOutput{}, err
	}
	var out WarmThroughputOutput
	err := s.alter(ctx, ref, func(v *view, row *streamRow) error {
		if row.Mode != OnDemand {
			return fail(Validation, "Stream %s under account %s is not in ON_DEMAND mode.", row.Name, s.opts.Account)
		}
		if mibps < 0 || mibps > maxWarmMiBps {
			return fail(InvalidArgument, "WarmThroughputMiBps %d is not between 0 and %d.", mibps, maxWarmMiBps)
		}
		out = WarmThroughputOutput{
			Name: row.Name, ARN: s.streamARN(row.Name),
			WarmThroughput: WarmThroughput{Target: mibps, Current: len(v.shards.open)},
		}
		return s.warm(v, row, mibps)
	})
	return out, err
}

// UpdateMaxRecordSize sets how large a record with its key may be.
func (s *Streams) UpdateMaxRecordSize(ctx context.Context, ref Ref, kib int) error {
	if err := checkMaxRecord(kib); err != nil {
		return err
	}
	return s.alter(ctx, ref, func(_ *view, row *streamRow) error {
		row.MaxRecordKiB = kib
		return nil
	})
}

// UpdateDistribution sets how records find their shard.
func (s *Streams) UpdateDistribution(ctx context.Context, arn string, d Distribution) error {
	return s.alter(ctx, Ref{ARN: arn}, func(_ *view, row *streamRow) error {
		switch d {
		case Auto:
			if row.Mode != OnDemand {
				return autoNeedsOnDemand()
			}
		case UserPartitionKey:
		default:
			return fail(Validation, "1 validation error detected: Value '%s' at 'recordDistributionStrategy' failed to satisfy constraint: Member must satisfy enum value set: [AUTO, USER_PARTITION_KEY]", d)
		}
		row.Distribution = d
		return nil
	})
}

// Limits of the retention period, hours.
const (
	minRetention = 24
	maxRetention = 8760
)

// IncreaseRetention keeps records longer from now on.
func (s *Streams) IncreaseRetention(ctx context.Context, ref Ref, hours int) error {
	return s.retain(ctx, ref, hours, func(row *streamRow) error {
		if hours < row.RetentionHours {
			return fail(InvalidArgument, "Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours). Use DecreaseRetentionPeriod API.", hours, row.Name, row.RetentionHours)
		}
		return nil
	})
}

// DecreaseRetention hides records that are older at once.
func (s *Streams) DecreaseRetention(ctx context.Context, ref Ref, hours int) error {
	return s.retain(ctx, ref, hours, func(row *streamRow) error {
		if hours > row.RetentionHours {
			return fail(InvalidArgument, "Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours). Use IncreaseRetentionPeriod API.", hours, row.Name, row.RetentionHours)
		}
		return nil
	})
}

func (s *Streams) retain(ctx context.Context, ref Ref, hours int, check func(*streamRow) error) error {
	return s.alter(ctx, ref, func(v *view, row *streamRow) error {
		if hours < minRetention {
			return fail(InvalidArgument, "Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", minRetention, hours)
		}
		if hours > maxRetention {
			return fail(InvalidArgument, "Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", maxRetention, hours)
		}
		if err := check(row); err != nil {
			return err
		}
		row.Floor = v.horizon(s.opts.Clock.Now()) // what is hidden now stays hidden
		row.RetentionHours = hours
		return nil
	})
}

// MonitoringOutput is the answer of the two operations on monitoring.
type MonitoringOutput struct {
	Name    string
	ARN     string
	Current []string // before
	Desired []string // after
}

// allMetrics stands for every shard level metric.
const allMetrics = "ALL"

// shardMetrics are the shard level metrics.
func shardMetrics() []string {
	return []string{
		"IncomingBytes", "IncomingRecords", "IteratorAgeMilliseconds", "OutgoingBytes", "OutgoingRecords",
		"ReadProvisionedThroughputExceeded", "WriteProvisionedThroughputExceeded",
	}
}

// EnableMonitoring adds shard level metrics.
func (s *Streams) EnableMonitoring(ctx context.Context, ref Ref, metrics []string) (MonitoringOutput, error) {
	return s.monitor(ctx, ref, metrics, func(have []string, name string) []string {
		if slices.Contains(have, name) {
			return have
		}
		return append(have, name)
	})
}

// DisableMonitoring removes shard level metrics.
func (s *Streams) DisableMonitoring(ctx context.Context, ref Ref, metrics []string) (MonitoringOutput, error) {
	return s.monitor(ctx, ref, metrics, func(have []string, name string) []string {
		return slices.DeleteFunc(have, func(h string) bool { return h == name })
	})
}

func (s *Streams) monitor(ctx context.Context, ref Ref, metrics []string, change func([]string, string) []string) (MonitoringOutput, error) {
	known := shardMetrics()
	if slices.Contains(metrics, allMetrics) {
		metrics = known
	}
	for _, m := range metrics {
		if !slices.Contains(known, m) {
			return MonitoringOutput{}, fail(Validation, "1 validation error detected: Value '%s' at 'shardLevelMetrics' failed to satisfy constraint: Member must satisfy enum value set: %v", m, append(known, allMetrics))
		}
	}
	var out MonitoringOutput
	err := s.alter(ctx, ref, func(v *view, row *streamRow) error {
		for _, m := range metrics {
			row.Monitoring = change(row.Monitoring, m)
		}
		slices.Sort(row.Monitoring)
		out = MonitoringOutput{Name: row.Name, ARN: s.streamARN(row.Name), Current: slices.Clone(v.row.Monitoring), Desired: slices.Clone(row.Monitoring)}
		return nil
	})
	return out, err
}

// Commitment is the billing commitment of the account, which nobody bills but
// which some operations depend on.
type Commitment struct {
	Status               string    // ENABLED, DISABLED, ENABLED_UNTIL_EARLIEST_ALLOWED_END
	StartedAt            time.Time // zero = never
	EndedAt              time.Time
	EarliestAllowedEndAt time.Time
}

// The states of the commitment.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// AccountSettings tells the settings of the account.
func (s *Streams) AccountSettings(ctx context.Context) (Commitment, error) {
	if err := s.operation("DescribeAccountSettings", 5); err != nil {
		return Commitment{}, err
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	return s.account.commitment(), nil
}

func (r *accountRow) commitment() Commitment {
	c := Commitment{Status: disabled, StartedAt: timeOf(r.CommitmentStart), EndedAt: timeOf(r.CommitmentEnd)}
	if r.CommitmentOn {
		c.Status, c.EarliestAllowedEndAt = enabled, timeOf(r.CommitmentMinEnd)
	}
	return c
}

// timeOf returns a time in ms, the zero time for 0.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// UpdateAccountSettings sets the commitment: ENABLED or DISABLED.
func (s *Streams) UpdateAccountSettings(ctx context.Context, status string) (Commitment, error) {
	if err := s.operation("UpdateAccountSettings", 5); err != nil {
		return Commitment{}, err
	}
	if status != enabled && status != disabled {
		return Commitment{}, fail(Validation, "1 validation error detected: Value '%s' at 'minimumThroughputBillingCommitment.status' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]", status)
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	row := s.account
	if row.CommitmentOn == (status == enabled) {
		return row.commitment(), nil
	}
	row.CommitmentOn = status == enabled
	if row.CommitmentOn {
		row.CommitmentStart, row.CommitmentEnd, row.CommitmentMinEnd = s.now(), 0, s.now()
	} else {
		row.CommitmentEnd = s.now()
	}
	op, err := put(accountKey, row)
	if err == nil {
		err = s.opts.Meta.Commit(op)
	}
	if err != nil {
		return Commitment{}, internal("change the account settings", err)
	}
	s.account = row
	return row.commitment(), nil
}

// AccountLimits is the answer of DescribeLimits.
type AccountLimits struct {
	ShardLimit          int
	OpenShards          int
	OnDemandStreams     int
	OnDemandStreamLimit int
}

// DescribeLimits tells the limits of the account and what is used of them.
func (s *Streams) DescribeLimits(ctx context.Context) (AccountLimits, error) {
	if err := s.operation("DescribeLimits", 1); err != nil {
		return AccountLimits{}, err
	}
	l := AccountLimits{ShardLimit: s.shardLimit(), OpenShards: s.openShards(""), OnDemandStreamLimit: maxStreams}
	if s.opts.Limits {
		l.OnDemandStreamLimit = awsOnDemandStreams
	}
	for _, st := range s.sorted() {
		if st.view.Load().row.Mode == OnDemand {
			l.OnDemandStreams++
		}
	}
	return l, nil
}
