package control

import "weir/internal/awsserve"

// The limits of AWS for its own capacity, imposed when the settings ask for it.
const (
	awsStreams  = 10_000 // of an account
	awsChannels = 10_000
)

// rate is how often an operation may be called a second.
type rate struct {
	account  float64
	resource float64 // on one stream or channel; 0 for no limit of its own
}

// rateOf is the rate of an operation at AWS.
func rateOf(operation string) rate {
	switch operation {
	case "CreateStream", "ListStreams", "CreateSignalingChannel", "ListSignalingChannels":
		return rate{account: 50}
	case "DescribeStream", "GetDataEndpoint", "DescribeSignalingChannel":
		return rate{account: 300, resource: 5}
	case "GetSignalingChannelEndpoint":
		return rate{account: 300}
	case "UpdateMediaStorageConfiguration":
		return rate{account: 10, resource: 5}
	case "JoinStorageSession", "JoinStorageSessionAsViewer":
		return rate{account: 50, resource: 2}
	case "StartEdgeConfigurationUpdate", "DeleteEdgeConfiguration":
		return rate{account: 10, resource: 1}
	case "ListEdgeAgentConfigurations":
		return rate{account: 50}
	}
	return rate{account: 50, resource: 5}
}

// limit takes one call of an operation out of what the account, and the
// resource with an ARN, may have.
func (a *API) limit(c *awsserve.Call, arn string) error {
	r, now := rateOf(c.Operation.Name), a.opts.Clock.Now()
	if !a.limits.Take(c.Operation.Name, 1, r.account, now) {
		return rateExceeded()
	}
	if arn != "" && r.resource > 0 && !a.limits.Take(c.Operation.Name+" "+arn, 1, r.resource, now) {
		return rateExceeded()
	}
	return nil
}
