package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// putRecordFast answers PutRecord for bodies in their ordinary form.
func (a *API) putRecordFast(c *awsserve.Call, body []byte, w *awsapi.Writer) (bool, error) {
	s := scratches().Get().(*scratch)
	defer s.release()
	if !scanPutRecord(s.scanner(c.Encoding, body), &s.put) || s.put.ordering != nil {
		return false, nil
	}
	stream, ok := s.ref()
	if !ok {
		return false, nil
	}
	s.fill()
	return true, a.putOne(c, streams.PutInput{Ref: stream, Entry: s.entries[0]}, w)
}

// putRecord answers PutRecord.
func (a *API) putRecord(c *awsserve.Call, in *model.PutRecordInput, w *awsapi.Writer) error {
	return a.putOne(c, streams.PutInput{
		Ref:                       ref(in.StreamName, in.StreamARN),
		Entry:                     streams.Entry{Data: in.Data, PartitionKey: value(in.PartitionKey), ExplicitHashKey: value(in.ExplicitHashKey)},
		SequenceNumberForOrdering: value(in.SequenceNumberForOrdering), DryRun: value(in.DryRun),
	}, w)
}

func (a *API) putOne(c *awsserve.Call, in streams.PutInput, w *awsapi.Writer) error {
	if err := a.onStream(c, in.Ref); err != nil {
		return err
	}
	out, err := a.streams.Put(detached(c), in)
	if err != nil {
		return err
	}
	var digits [64]byte
	w.OpenMap()
	w.Key("ShardId")
	w.Text(out.ShardID)
	w.Key("SequenceNumber")
	w.Digits(out.Sequence.AppendTo(digits[:0]))
	writeEncryption(w, out.Encryption)
	w.CloseMap()
	return nil
}
