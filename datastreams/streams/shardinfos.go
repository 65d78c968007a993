package streams

import (
	"fmt"

	"weir/datastreams/shardlog"
	"weir/internal/meta"
)

// ShardInfos returns the shards of all streams that the metadata know, as the
// log takes them, for whoever opens the log without the streams above it.
func ShardInfos(m meta.Store) ([]shardlog.ShardInfo, error) {
	var infos []shardlog.ShardInfo
	err := scanRows(m, streamPrefix, func(row streamRow) error {
		return scanRows(m, shardPrefix+row.ID+"/", func(sh shardRow) error {
			infos = append(infos, shardInfo(row.ID, sh))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read shards: %w", err)
	}
	return infos, nil
}
