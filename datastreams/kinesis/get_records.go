package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// getRecords answers GetRecords. It is judged by the stream that the iterator
// belongs to.
func (a *API) getRecords(c *awsserve.Call, in *model.GetRecordsInput, w *awsapi.Writer) error {
	stream, err := a.streams.IteratorStream(value(in.ShardIterator))
	if err != nil {
		return err
	}
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	out, err := a.streams.Get(c.Request.Context(), streams.GetInput{
		Iterator: value(in.ShardIterator), StreamARN: value(in.StreamARN), Limit: int(value(in.Limit)), DryRun: value(in.DryRun),
	})
	if err != nil {
		return err
	}
	w.OpenMap()
	writeRecords(w, out.Records)
	if out.NextIterator != "" {
		w.Key("NextShardIterator")
		w.Text(out.NextIterator)
	}
	w.Key("MillisBehindLatest")
	w.Integer(out.MillisBehindLatest)
	writeChildren(w, out.ChildShards)
	w.CloseMap()
	return nil
}
