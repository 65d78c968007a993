package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	datastreams "weir/datastreams/streams"
)

// The sample data stream: what thermometers in a few rooms might send.
const (
	demoShards = 2
	demoEvery  = time.Second
)

func demoRooms() []string { return []string{"kitchen", "hall", "cellar", "workshop"} }

// demoReading is one record of the sample data stream.
type demoReading struct {
	Time    time.Time `json:"time"`
	Room    string    `json:"room"`
	Celsius float64   `json:"celsius"`
}

// putDemo puts a reading of each room every second into the sample stream,
// which it makes when it is not there, until ctx ends.
func (n *node) putDemo(ctx context.Context) error {
	err := n.streams.Create(ctx, datastreams.CreateInput{Name: demoName, ShardCount: demoShards})
	var failure *datastreams.Error
	if err != nil && (!errors.As(err, &failure) || failure.Kind != datastreams.InUse) {
		return fmt.Errorf("create the stream: %w", err)
	}
	results := make([]datastreams.EntryResult, len(demoRooms()))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(demoEvery):
		}
		entries, err := demoReadings(n.clock.Now())
		if err != nil {
			return err
		}
		_, err = n.streams.PutBatch(ctx, datastreams.Ref{Name: demoName}, entries, results, false)
		if errors.As(err, &failure) && failure.Kind != datastreams.Internal {
			continue // it is being made, or somebody deletes it
		}
		if err != nil {
			return fmt.Errorf("put records: %w", err)
		}
	}
}

// demoReadings are waves of different lengths, so that a chart of them shows
// something.
func demoReadings(now time.Time) ([]datastreams.Entry, error) {
	var entries []datastreams.Entry
	for i, room := range demoRooms() {
		wave := math.Sin(2 * math.Pi * float64(now.Unix()) / float64(60*(i+2)))
		data, err := json.Marshal(demoReading{Time: now.UTC(), Room: room, Celsius: math.Round(10*(19-float64(i)+2*wave)) / 10})
		if err != nil {
			return nil, fmt.Errorf("encode a reading: %w", err)
		}
		entries = append(entries, datastreams.Entry{Data: data, PartitionKey: room})
	}
	return entries, nil
}
