package control

import (
	"maps"
	"strings"

	model "weir/internal/awsapi/kinesisvideo"
)

// maxTags bounds the tags of a resource.
const maxTags = 50

// reservedTags begins the keys that users may not set.
const reservedTags = "aws:"

// checkTags refuses tags that nobody may set.
func checkTags(tags map[string]string) error {
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), reservedTags) {
			return invalid("Tag keys that begin with %q are reserved: %s", reservedTags, key)
		}
	}
	return nil
}

// tagMap reads a list of tags, in which each key may be once.
func tagMap(list []model.Tag) (map[string]string, error) {
	if list == nil {
		return nil, nil
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[*t.Key]; twice {
			return nil, invalid("The tag key %s is there twice.", *t.Key)
		}
		tags[*t.Key] = *t.Value
	}
	return tags, checkTags(tags)
}

// withTags returns old with more; a key that is there gets the new value.
func withTags(old, more map[string]string) (map[string]string, error) {
	tags := make(map[string]string, len(old)+len(more))
	maps.Copy(tags, old)
	maps.Copy(tags, more)
	if len(tags) > maxTags {
		return nil, tooManyTags()
	}
	return tags, nil
}

// withoutTags returns old without keys; those that are not there do no harm.
func withoutTags(old map[string]string, keys []string) map[string]string {
	tags := maps.Clone(old)
	for _, key := range keys {
		delete(tags, key)
	}
	if len(tags) == 0 {
		return nil
	}
	return tags
}

// shownTags is what a list of tags answers: all at once, an empty map when
// there are none.
func shownTags(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}
