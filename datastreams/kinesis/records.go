package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
)

// writeRecords writes the member Records, in the order of the model's members.
func writeRecords(w *awsapi.Writer, records []streams.Record) {
	w.Key("Records")
	w.OpenList()
	var digits [64]byte
	for i := range records {
		r := &records[i]
		w.OpenMap()
		w.Key("SequenceNumber")
		w.Digits(r.Sequence.AppendTo(digits[:0]))
		w.Key("ApproximateArrivalTimestamp")
		w.Instant(awsapi.Timestamp(r.Arrival))
		w.Key("Data")
		w.Blob(r.Data)
		if r.PartitionKey != "" {
			w.Key("PartitionKey")
			w.Text(r.PartitionKey)
		}
		writeEncryption(w, r.Encryption)
		w.CloseMap()
	}
	w.CloseList()
}

// writeChildren writes the member ChildShards at the end of a shard, and
// nothing before: clients take its presence for the end.
func writeChildren(w *awsapi.Writer, children []streams.ChildShard) {
	if len(children) == 0 {
		return
	}
	w.Key("ChildShards")
	w.OpenList()
	for _, s := range children {
		w.OpenMap()
		w.Key("ShardId")
		w.Text(s.ID)
		w.Key("ParentShards")
		w.OpenList()
		for _, p := range s.Parents {
			w.Text(p)
		}
		w.CloseList()
		w.Key("HashKeyRange")
		w.OpenMap()
		w.Key("StartingHashKey")
		w.Text(s.Hash.Starting.String())
		w.Key("EndingHashKey")
		w.Text(s.Hash.Ending.String())
		w.CloseMap()
		w.CloseMap()
	}
	w.CloseList()
}

// writeEvent writes an event of a subscription.
func writeEvent(w *awsapi.Writer, e *streams.Event) {
	w.OpenMap()
	writeRecords(w, e.Records)
	if !e.Continuation.IsZero() {
		var digits [64]byte
		w.Key("ContinuationSequenceNumber")
		w.Digits(e.Continuation.AppendTo(digits[:0]))
	}
	w.Key("MillisBehindLatest")
	w.Integer(e.MillisBehindLatest)
	writeChildren(w, e.ChildShards)
	w.CloseMap()
}
