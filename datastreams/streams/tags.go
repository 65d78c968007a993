package streams

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weir/internal/meta"
)

// Limits of tags and policies.
const (
	maxTags       = 50
	maxTagKey     = 128 // characters
	maxTagValue   = 256 // characters
	maxPolicy     = 20 << 10
	reservedTags  = "aws:"
	emptyPolicy   = "{}"
	tagCharacters = "_./=+-%@:"
)

// mergeTags sets tags in have, unless one breaks a limit.
func mergeTags(have, tags map[string]string, what, account string) error {
	for k, v := range tags {
		if n := utf8.RuneCountInString(k); n < 1 || n > maxTagKey || utf8.RuneCountInString(v) > maxTagValue {
			return fail(InvalidArgument, "Tag keys must have between 1 and %d characters and tag values at most %d.", maxTagKey, maxTagValue)
		}
		if !validTag(k) || !validTag(v) {
			return fail(InvalidArgument, "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - %% @ :.")
		}
		if strings.HasPrefix(strings.ToLower(k), reservedTags) {
			return fail(InvalidArgument, "Tag keys must not begin with %s, which is reserved.", reservedTags)
		}
		have[k] = v
	}
	if len(have) > maxTags {
		return fail(InvalidArgument, "Failed to add tags to %s under account %s because a given resource cannot have more than %d tags associated with it.", what, account, maxTags)
	}
	return nil
}

func validTag(text string) bool {
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsSpace(r) && !strings.ContainsRune(tagCharacters, r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// listTags returns tags by key.
func listTags(tags map[string]string) []Tag {
	list := make([]Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Tag{Key: k, Value: tags[k]})
	}
	return list
}

// AddTags sets tags of a stream.
func (s *Streams) AddTags(ctx context.Context, ref Ref, tags map[string]string) error {
	if err := s.operation("AddTagsToStream", 5); err != nil {
		return err
	}
	return s.editTags(ref, tags, nil)
}

// RemoveTags drops tags of a stream.
func (s *Streams) RemoveTags(ctx context.Context, ref Ref, keys []string) error {
	if err := s.operation("RemoveTagsFromStream", 5); err != nil {
		return err
	}
	return s.editTags(ref, nil, keys)
}

func (s *Streams) editTags(ref Ref, set map[string]string, drop []string) error {
	_, err := s.edit(ref, true, func(_ *view, row *streamRow) error {
		if row.Tags == nil {
			row.Tags = map[string]string{}
		}
		for _, k := range drop {
			delete(row.Tags, k)
		}
		return mergeTags(row.Tags, set, "stream "+row.Name, s.opts.Account)
	})
	return err
}

// Tags returns a page of the tags of a stream, by key, behind exclusiveStart:
// limit (0 = 50) of them, and whether there are more.
func (s *Streams) Tags(ctx context.Context, ref Ref, exclusiveStart string, limit int) ([]Tag, bool, error) {
	if err := s.operation("ListTagsForStream", 5); err != nil {
		return nil, false, err
	}
	st, err := s.find(ref)
	if err != nil {
		return nil, false, err
	}
	if limit <= 0 || limit > maxTags {
		limit = maxTags
	}
	list := slices.DeleteFunc(listTags(st.view.Load().row.Tags), func(t Tag) bool { return t.Key <= exclusiveStart && exclusiveStart != "" })
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// resource finds what an ARN names: a stream, and a consumer of it or nil.
func (s *Streams) resource(arn string) (*stream, *consumer, error) {
	if strings.Contains(arn, "/consumer/") {
		return s.findConsumer(ConsumerRef{ARN: arn})
	}
	st, err := s.find(Ref{ARN: arn})
	return st, nil, err
}

// editConsumer changes the row of a consumer. The caller does not hold admin.
func (s *Streams) editConsumer(arn string, edit func(*consumerRow) error) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	st, c, err := s.findConsumer(ConsumerRef{ARN: arn})
	if err != nil {
		return err
	}
	row := *c.row.Load()
	row.Tags = maps.Clone(row.Tags)
	if err := edit(&row); err != nil {
		return err
	}
	op, err := put(consumerKey(st.view.Load().row.ID, row.Name), row)
	if err == nil {
		err = s.opts.Meta.Commit(op)
	}
	if err != nil {
		return internal("change a consumer", err)
	}
	c.row.Store(&row)
	return nil
}

// TagResource sets tags of the stream or consumer with this ARN.
func (s *Streams) TagResource(ctx context.Context, arn string, tags map[string]string) error {
	return s.tagResource(arn, tags, nil)
}

// UntagResource drops tags of the stream or consumer with this ARN.
func (s *Streams) UntagResource(ctx context.Context, arn string, keys []string) error {
	return s.tagResource(arn, nil, keys)
}

func (s *Streams) tagResource(arn string, set map[string]string, drop []string) error {
	_, c, err := s.resource(arn)
	if err != nil {
		return err
	}
	if c == nil {
		return s.editTags(Ref{ARN: arn}, set, drop)
	}
	return s.editConsumer(arn, func(row *consumerRow) error {
		if row.Tags == nil {
			row.Tags = map[string]string{}
		}
		for _, k := range drop {
			delete(row.Tags, k)
		}
		return mergeTags(row.Tags, set, "consumer "+row.Name, s.opts.Account)
	})
}

// ResourceTags returns the tags of the stream or consumer with this ARN, by key.
func (s *Streams) ResourceTags(ctx context.Context, arn string) ([]Tag, error) {
	st, c, err := s.resource(arn)
	if err != nil {
		return nil, err
	}
	if c != nil {
		return listTags(c.row.Load().Tags), nil
	}
	return listTags(st.view.Load().row.Tags), nil
}

// PutPolicy sets the resource policy of a stream or consumer. The text is kept
// as it is; package auth judges by it.
func (s *Streams) PutPolicy(ctx context.Context, arn, policy string) error {
	if len(policy) > maxPolicy {
		return fail(LimitExceeded, "The policy has %d bytes, at most %d are allowed.", len(policy), maxPolicy)
	}
	return s.setPolicy(arn, policy)
}

// DeletePolicy drops the resource policy of a stream or consumer.
func (s *Streams) DeletePolicy(ctx context.Context, arn string) error { return s.setPolicy(arn, "") }

func (s *Streams) setPolicy(arn, policy string) error {
	_, c, err := s.resource(arn)
	if err != nil {
		return err
	}
	if c == nil {
		_, err := s.edit(Ref{ARN: arn}, true, func(_ *view, row *streamRow) error {
			row.Policy = policy
			return nil
		})
		return err
	}
	return s.editConsumer(arn, func(row *consumerRow) error {
		row.Policy = policy
		return nil
	})
}

// Policy returns the resource policy of a stream or consumer, {} for none.
func (s *Streams) Policy(ctx context.Context, arn string) (string, error) {
	st, c, err := s.resource(arn)
	if err != nil {
		return "", err
	}
	policy := st.view.Load().row.Policy
	if c != nil {
		policy = c.row.Load().Policy
	}
	if policy == "" {
		return emptyPolicy, nil
	}
	return policy, nil
}

// Resource is what package auth has to know about a stream or consumer to
// decide about a request.
type Resource struct {
	ARN    string
	Policy string            // empty for none
	Tags   map[string]string // must not be changed
}

// Resource looks a stream up in memory. The second value is false when there is
// no such stream; the ARN is then the one that it would have.
func (s *Streams) Resource(ref Ref) (Resource, bool) {
	st, err := s.find(ref)
	if err != nil {
		if ref.ARN == "" {
			ref.ARN = s.streamARN(ref.Name)
		}
		return Resource{ARN: ref.ARN}, false
	}
	row := st.view.Load().row
	return Resource{ARN: st.arn, Policy: row.Policy, Tags: row.Tags}, true
}

// ConsumerResource looks a consumer up in memory.
func (s *Streams) ConsumerResource(arn string) (Resource, bool) {
	_, c, err := s.findConsumer(ConsumerRef{ARN: arn})
	if err != nil {
		return Resource{ARN: arn}, false
	}
	row := c.row.Load()
	return Resource{ARN: arn, Policy: row.Policy, Tags: row.Tags}, true
}

// dropConsumer is the write that removes a consumer.
func dropConsumer(streamID, name string) meta.Op { return drop(consumerKey(streamID, name)) }
