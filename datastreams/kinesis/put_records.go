package kinesis

import (
	"context"

	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// putRecordsFast answers PutRecords for bodies in their ordinary form.
func (a *API) putRecordsFast(c *awsserve.Call, body []byte, w *awsapi.Writer) (bool, error) {
	s := scratches().Get().(*scratch)
	defer s.release()
	if !scanPutRecords(s.scanner(c.Encoding, body), &s.put) {
		return false, nil
	}
	stream, ok := s.ref()
	if !ok {
		return false, nil
	}
	s.fill()
	return true, a.putBatch(c, stream, s, false, w)
}

// putRecords answers PutRecords. Records fail one by one.
func (a *API) putRecords(c *awsserve.Call, in *model.PutRecordsInput, w *awsapi.Writer) error {
	s := scratches().Get().(*scratch)
	defer s.release()
	s.entries = s.entries[:0]
	for _, r := range in.Records {
		s.entries = append(s.entries, streams.Entry{Data: r.Data, PartitionKey: value(r.PartitionKey), ExplicitHashKey: value(r.ExplicitHashKey)})
	}
	s.size()
	return a.putBatch(c, ref(in.StreamName, in.StreamARN), s, value(in.DryRun), w)
}

func (a *API) putBatch(c *awsserve.Call, stream streams.Ref, s *scratch, dryRun bool, w *awsapi.Writer) error {
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	out, err := a.streams.PutBatch(detached(c), stream, s.entries, s.results, dryRun)
	if err != nil {
		return err
	}
	w.OpenMap()
	w.Key("FailedRecordCount")
	w.Integer(int64(out.Failed))
	w.Key("Records")
	w.OpenList()
	for i := range s.results {
		writeResult(w, &s.results[i])
	}
	w.CloseList()
	writeEncryption(w, out.Encryption)
	w.CloseMap()
	return nil
}

// detached is the context of a put: a client that hangs up does not take back
// what it sent, and so cannot make an entry's fate unknown to the others.
func detached(c *awsserve.Call) context.Context { return context.WithoutCancel(c.Request.Context()) }

func writeResult(w *awsapi.Writer, r *streams.EntryResult) {
	w.OpenMap()
	if r.Failure != 0 {
		w.Key("ErrorCode")
		w.Text(resultCode(r.Failure))
		w.Key("ErrorMessage")
		w.Text(r.Message)
		w.CloseMap()
		return
	}
	var digits [64]byte
	w.Key("SequenceNumber")
	w.Digits(r.Sequence.AppendTo(digits[:0]))
	w.Key("ShardId")
	w.Text(r.ShardID)
	w.CloseMap()
}

// resultCode is the code of a failed record. It is not quite the name of the
// exception where the fault is ours.
func resultCode(k streams.Kind) string {
	if k == streams.Internal {
		return "InternalFailure"
	}
	return k.String()
}

// writeEncryption writes the member for encrypted streams only, as AWS does.
func writeEncryption(w *awsapi.Writer, t streams.EncryptionType) {
	if t == streams.KMS {
		w.Key("EncryptionType")
		w.Text(string(t))
	}
}
