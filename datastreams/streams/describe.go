package streams

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes of pages.
const (
	describePage    = 100
	listPage        = 100
	maxListPage     = 10_000 // that may be asked for
	shardsPage      = 1000
	listShardsOp    = "ListShards"
	listStreamsOp   = "ListStreams"
	listConsumersOp = "ListStreamConsumers"
)

// Describe tells about a stream with a page of its shards: limit (0 = 100, at
// most 100 are given) behind exclusiveStart (empty = from the first on).
func (s *Streams) Describe(ctx context.Context, ref Ref, limit int, exclusiveStart string) (Description, error) {
	if err := s.operation("DescribeStream", 10); err != nil {
		return Description{}, err
	}
	st, err := s.find(ref)
	if err != nil {
		return Description{}, err
	}
	v := st.view.Load()
	d := Description{Definition: st.definition(v), Shards: []Shard{}}
	shards, err := s.behindShard(v, v.listed(s.opts.Clock.Now()), exclusiveStart)
	if err != nil {
		return Description{}, err
	}
	if limit <= 0 || limit > describePage {
		limit = describePage
	}
	if len(shards) > limit {
		shards, d.HasMoreShards = shards[:limit], true
	}
	for _, sh := range shards {
		d.Shards = append(d.Shards, sh.describe())
	}
	return d, nil
}

// behindShard drops the shards up to one, which may be none.
func (s *Streams) behindShard(v *view, list []*shard, id string) ([]*shard, error) {
	if id == "" {
		return list, nil
	}
	index, ok := parseShardID(id)
	if !ok {
		return nil, fail(InvalidArgument, "ExclusiveStartShardId %s is not a shard of stream %s under account %s.", id, v.row.Name, s.opts.Account)
	}
	i := slices.IndexFunc(list, func(sh *shard) bool { return sh.row.Index > index })
	if i < 0 {
		return nil, nil
	}
	return list[i:], nil
}

// Summary tells about a stream without its shards.
func (s *Streams) Summary(ctx context.Context, ref Ref) (Summary, error) {
	if err := s.operation("DescribeStreamSummary", 20); err != nil {
		return Summary{}, err
	}
	st, err := s.find(ref)
	if err != nil {
		return Summary{}, err
	}
	v := st.view.Load()
	sum := Summary{
		Definition: st.definition(v), MaxRecordSizeKiB: v.row.MaxRecordKiB, RecordDistribution: v.row.Distribution,
	}
	if v.shards != nil {
		sum.OpenShards = len(v.shards.open)
	}
	st.mu.RLock()
	sum.Consumers = len(st.consumers)
	st.mu.RUnlock()
	if v.row.Mode == OnDemand {
		sum.WarmThroughput = &WarmThroughput{Target: v.row.WarmMiBps, Current: sum.OpenShards}
	}
	return sum, nil
}

// ListInput asks for a page of the streams.
type ListInput struct {
	Limit          int    // 0 = 100
	ExclusiveStart string // name behind which the page begins
	NextToken      string // of the page before
}

// ListOutput is a page of the streams, by name.
type ListOutput struct {
	Streams   []Definition
	HasMore   bool
	NextToken string // empty when there are no more
}

// List tells the streams of the account.
func (s *Streams) List(ctx context.Context, in ListInput) (ListOutput, error) {
	if err := s.operation(listStreamsOp, 5); err != nil {
		return ListOutput{}, err
	}
	after := in.ExclusiveStart
	if in.NextToken != "" {
		p, err := s.openPage(listStreamsOp, in.NextToken)
		if err != nil {
			return ListOutput{}, err
		}
		after = p.After
	}
	if in.Limit < 0 || in.Limit > maxListPage {
		return ListOutput{}, fail(Validation, "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", in.Limit, maxListPage)
	}
	if in.Limit == 0 || in.Limit > listPage {
		in.Limit = listPage
	}
	out := ListOutput{Streams: []Definition{}}
	for _, st := range s.sorted() {
		v := st.view.Load()
		if v.row.Name <= after {
			continue
		}
		if len(out.Streams) == in.Limit {
			out.HasMore = true
			break
		}
		out.Streams = append(out.Streams, st.definition(v))
	}
	if !out.HasMore {
		return out, nil
	}
	var err error
	out.NextToken, err = s.sealPage(page{Of: listStreamsOp, After: out.Streams[len(out.Streams)-1].Name})
	return out, err
}

// ListShardsInput asks for a page of the shards of a stream: either by
// NextToken alone, or by the stream.
type ListShardsInput struct {
	Ref             Ref
	NextToken       string
	ExclusiveStart  string
	MaxResults      int        // 0 = 1000
	StreamCreated   time.Time  // of the stream, to tell it from one of the same name; zero = any
	Filter          FilterType // empty = all that have not expired
	FilterShardID   string
	FilterTimestamp time.Time
}

// ListShardsOutput is a page of shards, oldest first.
type ListShardsOutput struct {
	Shards    []Shard
	NextToken string
}

// ListShards tells the shards of a stream.
func (s *Streams) ListShards(ctx context.Context, in ListShardsInput) (ListShardsOutput, error) {
	p, v, err := s.shardsPage(in)
	if err != nil {
		return ListShardsOutput{}, err
	}
	if err := s.operationOn(v.row.Name, listShardsOp, 1000); err != nil {
		return ListShardsOutput{}, err
	}
	list, err := s.filterShards(v, p)
	if err != nil {
		return ListShardsOutput{}, err
	}
	if list, err = s.behindShard(v, list, p.After); err != nil {
		return ListShardsOutput{}, err
	}
	out := ListShardsOutput{Shards: []Shard{}}
	limit := p.Limit
	if in.MaxResults > 0 {
		limit = in.MaxResults
	}
	limit = min(limit, shardsPage)
	more := len(list) > limit
	if more {
		list = list[:limit]
	}
	for _, sh := range list {
		out.Shards = append(out.Shards, sh.describe())
	}
	if !more {
		return out, nil
	}
	p.After = list[len(list)-1].id
	out.NextToken, err = s.sealPage(p)
	return out, err
}

// shardsPage returns what is asked for, by token or not, and the state of the
// stream.
func (s *Streams) shardsPage(in ListShardsInput) (page, *view, error) {
	if in.MaxResults < 0 || in.MaxResults > maxListPage {
		return page{}, nil, fail(Validation, "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", in.MaxResults, maxListPage)
	}
	if in.NextToken != "" {
		return s.continuedPage(in)
	}
	st, err := s.find(in.Ref)
	if err != nil {
		return page{}, nil, err
	}
	v := st.view.Load()
	if v.row.Status == Creating {
		return page{}, nil, s.notActive(v)
	}
	if !v.created(in.StreamCreated) {
		return page{}, nil, s.notFound(v.row.Name)
	}
	p := page{Of: listShardsOp, ID: v.row.ID, Name: v.row.Name, After: in.ExclusiveStart, Limit: shardsPage, Filter: string(in.Filter), From: in.FilterTimestamp}
	if in.MaxResults > 0 {
		p.Limit = in.MaxResults
	}
	if in.Filter != "" && in.ExclusiveStart != "" {
		return page{}, nil, fail(InvalidArgument, "ShardFilter and ExclusiveStartShardId cannot be specified together.")
	}
	return p, v, checkFilter(&p, in.FilterShardID)
}

// continuedPage returns the state that a token belongs to.
func (s *Streams) continuedPage(in ListShardsInput) (page, *view, error) {
	if in.Ref.Name != "" || in.ExclusiveStart != "" || !in.StreamCreated.IsZero() || in.Filter != "" {
		return page{}, nil, fail(InvalidArgument, "NextToken and StreamName cannot be provided together.")
	}
	p, err := s.openPage(listShardsOp, in.NextToken)
	if err != nil {
		return page{}, nil, err
	}
	if in.Ref.ARN != "" && in.Ref.ARN != s.streamARN(p.Name) {
		return page{}, nil, fail(InvalidArgument, "NextToken does not belong to the stream %s.", in.Ref.ARN)
	}
	st, err := s.find(Ref{Name: p.Name})
	if err != nil {
		return page{}, nil, err
	}
	v := st.view.Load()
	if v.row.ID != p.ID {
		return page{}, nil, s.notFound(p.Name)
	}
	return p, v, nil
}

// checkFilter refuses filters with too much or too little in them.
func checkFilter(p *page, id string) error {
	switch f := FilterType(p.Filter); f {
	case "", FilterAtLatest, FilterAtTrimHorizon, FilterFromTrimHorizon:
	case FilterAfterShardID:
		if id == "" {
			return fail(InvalidArgument, "ShardId must be specified in a ShardFilter of type %s.", f)
		}
		p.After = id
		return nil
	case FilterAtTimestamp, FilterFromTimestamp:
		if p.From.IsZero() {
			return fail(InvalidArgument, "Timestamp must be specified in a ShardFilter of type %s.", f)
		}
		if id != "" {
			return fail(InvalidArgument, "ShardId cannot be specified in a ShardFilter of type %s.", f)
		}
		return nil
	default:
		return fail(Validation, "1 validation error detected: Value '%s' at 'shardFilter.type' failed to satisfy constraint: Member must satisfy enum value set: [AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, AFTER_SHARD_ID, FROM_TIMESTAMP]", f)
	}
	if id != "" || !p.From.IsZero() {
		return fail(InvalidArgument, "Neither ShardId nor Timestamp can be specified in a ShardFilter of type %s.", p.Filter)
	}
	return nil
}

// filterShards returns the shards that a filter lets through.
func (s *Streams) filterShards(v *view, p page) ([]*shard, error) {
	now := s.opts.Clock.Now()
	list := v.listed(now)
	oldest := max(v.horizon(now), v.row.Created)
	at := max(p.From.UnixMilli(), oldest)
	var keep func(*shard) bool
	switch FilterType(p.Filter) {
	case FilterAtLatest:
		keep = func(sh *shard) bool { return sh.open() }
	case FilterAtTrimHorizon:
		keep = func(sh *shard) bool { return sh.row.Opened <= oldest && (sh.open() || sh.row.Closed >= oldest) }
	case FilterAtTimestamp, FilterFromTimestamp:
		if p.From.After(now) {
			return nil, fail(InvalidArgument, "The timestamp in ShardFilter, %s, cannot be greater than the current time.", strconv.FormatInt(p.From.UnixMilli(), 10))
		}
		from := FilterType(p.Filter) == FilterFromTimestamp
		keep = func(sh *shard) bool {
			return (from || sh.row.Opened <= at) && (sh.open() || sh.row.Closed >= at)
		}
	default:
		return list, nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(sh *shard) bool { return !keep(sh) }), nil
}

// consumerARN splits the ARN of a consumer.
func (s *Streams) parseConsumerARN(arn string) (stream, name string, epoch int64, err error) {
	head, tail, ok := strings.Cut(arn, "/consumer/")
	name, number, ok2 := strings.Cut(tail, ":")
	epoch, numErr := strconv.ParseInt(number, 10, 64)
	stream, arnErr := s.parseStreamARN(head)
	if !ok || !ok2 || numErr != nil || arnErr != nil || !validName(name) {
		return "", "", 0, fail(InvalidArgument, "ConsumerARN %s is not the ARN of a consumer under account %s in %s.", arn, s.opts.Account, s.opts.Region)
	}
	return stream, name, epoch, nil
}
