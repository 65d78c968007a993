package streams

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxConsumers bounds the consumers of a stream, whatever AWS allows.
const (
	maxConsumers  = 1000
	consumersPage = 100
)

// consumer is one consumer in memory.
type consumer struct {
	row atomic.Pointer[consumerRow]

	mu   sync.Mutex             // guards the following
	subs map[uint32]*subscribed // by shard
	gone *Error                 // why nobody can subscribe any more
}

func newConsumer(row *consumerRow) *consumer {
	c := &consumer{subs: map[uint32]*subscribed{}}
	c.row.Store(row)
	return c
}

// consumerARN is the ARN of a consumer.
func consumerARN(streamARN string, row *consumerRow) string {
	return streamARN + "/consumer/" + row.Name + ":" + strconv.FormatInt(row.Epoch, 10)
}

func (c *consumer) describe(streamARN string) Consumer {
	row := c.row.Load()
	return Consumer{
		Name: row.Name, ARN: consumerARN(streamARN, row), Status: row.Status,
		Created: time.Unix(row.Epoch, 0), StreamARN: streamARN,
	}
}

// RegisterConsumer adds a consumer to a stream. The answer says CREATING, as
// that of AWS does; the consumer is ACTIVE as soon as it is there.
func (s *Streams) RegisterConsumer(ctx context.Context, streamARN, name string, tags map[string]string) (Consumer, error) {
	if err := s.operation("RegisterStreamConsumer", 5); err != nil {
		return Consumer{}, err
	}
	if !validName(name) {
		return Consumer{}, fail(Validation, "1 validation error detected: Value '%s' at 'consumerName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", name)
	}
	kept := map[string]string{}
	if err := mergeTags(kept, tags, "consumer "+name, s.opts.Account); err != nil {
		return Consumer{}, err
	}
	var c *consumer
	st, err := s.edit(Ref{ARN: streamARN}, true, func(v *view, row *streamRow) error {
		if err := s.checkConsumers(streamARN, name); err != nil {
			return err
		}
		row.ConsumerEpoch = max(row.ConsumerEpoch+1, s.now()/1000)
		c = newConsumer(&consumerRow{Name: name, Epoch: row.ConsumerEpoch, Status: Active, Tags: kept})
		op, err := put(consumerKey(row.ID, name), c.row.Load())
		if err != nil {
			return internal("register a consumer", err)
		}
		if err := s.opts.Meta.Commit(op); err != nil {
			return internal("register a consumer", err)
		}
		return nil
	})
	if err != nil {
		return Consumer{}, err
	}
	st.mu.Lock()
	st.consumers[name] = c
	st.mu.Unlock()
	d := c.describe(st.arn)
	d.Status = Creating
	return d, nil
}

// checkConsumers refuses a name that is taken and too many consumers. The
// caller holds admin.
func (s *Streams) checkConsumers(streamARN, name string) error {
	st, err := s.find(Ref{ARN: streamARN})
	if err != nil {
		return err
	}
	limit := maxConsumers
	if s.opts.Limits {
		limit = awsConsumers
		if s.account.CommitmentOn {
			limit = awsConsumersCommitted
		}
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.consumers[name] != nil {
		return fail(InUse, "Consumer %s under stream %s already exists for account %s.", name, st.view.Load().row.Name, s.opts.Account)
	}
	if len(st.consumers) >= limit {
		return fail(LimitExceeded, "Stream %s under account %s can not have more than %d consumers.", st.view.Load().row.Name, s.opts.Account, limit)
	}
	return nil
}

// ConsumerRef names a consumer, by its ARN or by stream and name.
type ConsumerRef struct {
	ARN       string
	StreamARN string
	Name      string
}

// findConsumer returns a consumer and its stream.
func (s *Streams) findConsumer(ref ConsumerRef) (*stream, *consumer, error) {
	if ref.ARN == "" && (ref.StreamARN == "" || ref.Name == "") {
		return nil, nil, fail(InvalidArgument, "Either ConsumerARN, or both StreamARN and ConsumerName must be specified.")
	}
	stream, name, epoch := ref.StreamARN, ref.Name, int64(0)
	if ref.ARN != "" {
		of, n, e, err := s.parseConsumerARN(ref.ARN)
		if err != nil {
			return nil, nil, err
		}
		of = s.streamARN(of)
		if stream != "" && stream != of || name != "" && name != n {
			return nil, nil, fail(InvalidArgument, "ConsumerARN %s does not match StreamARN and ConsumerName.", ref.ARN)
		}
		stream, name, epoch = of, n, e
	}
	st, err := s.find(Ref{ARN: stream})
	if err != nil {
		return nil, nil, err
	}
	st.mu.RLock()
	c := st.consumers[name]
	st.mu.RUnlock()
	if c == nil || epoch != 0 && c.row.Load().Epoch != epoch {
		return nil, nil, s.noConsumer(name, st)
	}
	return st, c, nil
}

func (s *Streams) noConsumer(name string, st *stream) *Error {
	return fail(NotFound, "Consumer %s under stream %s not found for account %s.", name, st.view.Load().row.Name, s.opts.Account)
}

// DeregisterConsumer removes a consumer and ends its subscriptions.
func (s *Streams) DeregisterConsumer(ctx context.Context, ref ConsumerRef) error {
	if err := s.operation("DeregisterStreamConsumer", 5); err != nil {
		return err
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	st, c, err := s.findConsumer(ref)
	if err != nil {
		return err
	}
	name := c.row.Load().Name
	if err := s.opts.Meta.Commit(dropConsumer(st.view.Load().row.ID, name)); err != nil {
		return internal("deregister a consumer", err)
	}
	st.mu.Lock()
	delete(st.consumers, name)
	st.mu.Unlock()
	c.end(s.noConsumer(name, st))
	return nil
}

// DescribeConsumer tells about a consumer.
func (s *Streams) DescribeConsumer(ctx context.Context, ref ConsumerRef) (Consumer, error) {
	if err := s.operation("DescribeStreamConsumer", 20); err != nil {
		return Consumer{}, err
	}
	st, c, err := s.findConsumer(ref)
	if err != nil {
		return Consumer{}, err
	}
	return c.describe(st.arn), nil
}

// ListConsumersInput asks for a page of the consumers of a stream.
type ListConsumersInput struct {
	StreamARN     string
	NextToken     string
	MaxResults    int // 0 = 100
	StreamCreated time.Time
}

// ListConsumersOutput is a page of consumers, by name.
type ListConsumersOutput struct {
	Consumers []Consumer
	NextToken string
}

// ListConsumers tells the consumers of a stream.
func (s *Streams) ListConsumers(ctx context.Context, in ListConsumersInput) (ListConsumersOutput, error) {
	if err := s.operation(listConsumersOp, 5); err != nil {
		return ListConsumersOutput{}, err
	}
	st, err := s.find(Ref{ARN: in.StreamARN})
	if err != nil {
		return ListConsumersOutput{}, err
	}
	v := st.view.Load()
	if !v.created(in.StreamCreated) {
		return ListConsumersOutput{}, s.notFound(v.row.Name)
	}
	p := page{Of: listConsumersOp, ID: v.row.ID}
	if in.NextToken != "" {
		if p, err = s.openPage(listConsumersOp, in.NextToken); err != nil {
			return ListConsumersOutput{}, err
		}
		if p.ID != v.row.ID {
			return ListConsumersOutput{}, fail(InvalidArgument, "NextToken does not belong to the stream %s.", in.StreamARN)
		}
	}
	if in.MaxResults <= 0 || in.MaxResults > consumersPage {
		in.MaxResults = consumersPage
	}
	out := ListConsumersOutput{Consumers: []Consumer{}}
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(st.consumers)) {
		if name <= p.After {
			continue
		}
		if len(out.Consumers) == in.MaxResults {
			p.After = out.Consumers[len(out.Consumers)-1].Name
			out.NextToken, err = s.sealPage(p)
			break
		}
		out.Consumers = append(out.Consumers, st.consumers[name].describe(st.arn))
	}
	return out, err
}
