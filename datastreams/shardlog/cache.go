package shardlog

import (
	"container/list"
	"context"
	"sync"
)

// DefaultCacheBytes is the size of the cache of blocks and indexes.
const DefaultCacheBytes = 32 << 20

// cacheKey names a block or an index: of a run by its range of the log, with
// shard 0, of a segment by its shard and offsets. The place of an index is 0.
type cacheKey struct {
	shard, first, next uint64
	pos                int64
}

// cached is what a cache holds.
type cached interface{ Memory() int64 }

// cache keeps what was read last, up to a number of bytes. What several ask
// for at the same time is read once.
type cache struct {
	limit int64
	mu    struct {
		sync.Mutex // guards the following
		bytes      int64
		recent     *list.List // of *cacheItem, the latest first
		items      map[cacheKey]*list.Element
		loads      map[cacheKey]chan struct{} // closed when the load is over
	}
}

type cacheItem struct {
	key   cacheKey
	value cached
}

func newCache(limit int64) *cache {
	c := &cache{limit: limit}
	c.mu.recent = list.New()
	c.mu.items = map[cacheKey]*list.Element{}
	c.mu.loads = map[cacheKey]chan struct{}{}
	return c
}

// get returns what a key names, from load if it is not there. A failure is
// nobody's but the caller's.
func (c *cache) get(ctx context.Context, key cacheKey, load func() (cached, error)) (cached, error) {
	for {
		c.mu.Lock()
		if e, ok := c.mu.items[key]; ok {
			c.mu.recent.MoveToFront(e)
			c.mu.Unlock()
			return e.Value.(*cacheItem).value, nil
		}
		other, busy := c.mu.loads[key]
		if !busy {
			c.mu.loads[key] = make(chan struct{})
			c.mu.Unlock()
			break
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	value, err := load()
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.mu.loads[key])
	delete(c.mu.loads, key)
	if err != nil {
		return nil, err
	}
	c.put(key, value)
	return value, nil
}

// add puts something in that was read along with something else.
func (c *cache) add(key cacheKey, value cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(key, value)
}

// put puts something in; mu is held.
func (c *cache) put(key cacheKey, value cached) {
	n := value.Memory()
	if n > c.limit/4 {
		return // it would cost everything else its place
	}
	if _, ok := c.mu.items[key]; ok {
		return
	}
	c.mu.items[key] = c.mu.recent.PushFront(&cacheItem{key, value})
	c.mu.bytes += n
	for c.mu.bytes > c.limit {
		e := c.mu.recent.Back()
		old := e.Value.(*cacheItem)
		c.mu.recent.Remove(e)
		delete(c.mu.items, old.key)
		c.mu.bytes -= old.value.Memory()
	}
}

// has tells whether a key is there.
func (c *cache) has(key cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.mu.items[key]
	return ok
}
