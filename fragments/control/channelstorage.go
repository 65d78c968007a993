package control

// mapped returns the channel whose media go into the stream of an ARN; false
// when there is none.
func (t *channels) mapped(arn string) (channel, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mappedTo(arn)
}

func (t *channels) mappedTo(arn string) (channel, bool) {
	for _, c := range t.byName {
		if c.Storage == arn {
			return c, true
		}
	}
	return channel{}, false
}

// unmap takes a stream that is going from its channel.
func (t *channels) unmap(arn string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.mappedTo(arn)
	if !ok {
		return nil
	}
	c.Storage = ""
	return t.save(&c)
}
