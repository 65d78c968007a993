package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

type streamRmCmd struct {
	Name      string `arg:"" help:"Name of the stream."`
	Consumers bool   `help:"Also when consumers are registered, who go with it."`
	Yes       bool   `short:"y" help:"Do not ask."`
}

// Run deletes the stream once that was confirmed.
func (r *streamRmCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	if _, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &r.Name}); err != nil {
		return s.explain(err)
	}
	if !r.Yes {
		if !terminal(std.in) {
			return &usageError{"this deletes all records of " + r.Name + "; give --yes to do it without being asked"}
		}
		fmt.Fprintf(std.err, "This deletes %s and all its records. Type its name to go on: ", r.Name)
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if err != nil || strings.TrimSpace(line) != r.Name {
			return errors.New("nothing was deleted")
		}
	}
	_, err = c.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &r.Name, EnforceConsumerDeletion: &r.Consumers})
	if err != nil {
		return s.explain(err)
	}
	if s.json() {
		return writeJSON(std.out, map[string]string{"deleted": r.Name})
	}
	_, err = fmt.Fprintf(std.out, "deleted %s\n", r.Name)
	return err
}
