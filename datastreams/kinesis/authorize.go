package kinesis

import (
	"fmt"
	"strings"
	"sync"

	"weir/datastreams/streams"
	"weir/internal/auth"
	"weir/internal/auth/policy"
	"weir/internal/awsserve"
)

// everything is the resource of operations that have none of their own.
const everything = "*"

// onStream authorises the operation on a stream. A stream that is not there is
// judged by the ARN that it would have, so that an answer does not tell those
// who may not know.
func (a *API) onStream(c *awsserve.Call, ref streams.Ref) error {
	r, _ := a.streams.Resource(ref)
	return a.allow(c, r, auth.Access{})
}

// onResource authorises the operation on the stream or consumer with an ARN.
func (a *API) onResource(c *awsserve.Call, arn string, x auth.Access) error {
	var r streams.Resource
	if strings.Contains(arn, "/consumer/") {
		r, _ = a.streams.ConsumerResource(arn)
	} else {
		r, _ = a.streams.Resource(streams.Ref{ARN: arn})
	}
	if r.ARN == "" {
		r.ARN = arn
	}
	return a.allow(c, r, x)
}

// onAccount authorises an operation that concerns no resource.
func (a *API) onAccount(c *awsserve.Call) error {
	return a.allow(c, streams.Resource{ARN: everything}, auth.Access{})
}

func (a *API) allow(c *awsserve.Call, r streams.Resource, x auth.Access) error {
	x.Action = "kinesis:" + c.Operation.Name
	x.Resource, x.ResourceTags = r.ARN, r.Tags
	if r.Policy != "" {
		var err error
		if x.Policy, err = a.policies.parse(r.Policy); err != nil {
			return fmt.Errorf("read the policy of %s: %w", r.ARN, err)
		}
	}
	return c.Identity.Authorize(x)
}

// maxPolicies are how many parsed policies are kept.
const maxPolicies = 1000

// policies keeps the resource policies that were parsed, by their text.
type policies struct {
	mu     sync.Mutex // guards the following
	parsed map[string]*policy.Document
}

func (p *policies) parse(text string) (*policy.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.parsed[text]; ok {
		return d, nil
	}
	d, err := policy.ParseResource(text)
	if err != nil {
		return nil, err
	}
	if p.parsed == nil || len(p.parsed) >= maxPolicies {
		p.parsed = map[string]*policy.Document{}
	}
	p.parsed[text] = d
	return d, nil
}
