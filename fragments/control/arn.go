package control

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The kinds of resources, as ARNs have them.
const (
	streamKind  = "stream"
	channelKind = "channel"
)

// place is the part of the world that all resources of a server are in.
type place struct {
	region, account string
}

// arn is the ARN of a resource.
func (p place) arn(kind, name string, created time.Time) string {
	return fmt.Sprintf("%s%s/%s/%d", p.prefix(), kind, name, created.UnixMilli())
}

// unborn is the ARN that a resource is judged by which is not there.
func (p place) unborn(kind, name string) string { return p.prefix() + kind + "/" + name + "/0" }

func (p place) prefix() string { return "arn:aws:kinesisvideo:" + p.region + ":" + p.account + ":" }

// parse takes an ARN apart. here is false for one of another region or
// account; created is in milliseconds since the epoch.
func (p place) parse(arn string) (kind, name string, created int64, here bool) {
	rest, here := strings.CutPrefix(arn, p.prefix())
	if !here {
		return "", "", 0, false
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 3 {
		return "", "", 0, false
	}
	created, err := strconv.ParseInt(parts[2], 10, 64)
	return parts[0], parts[1], created, err == nil
}
