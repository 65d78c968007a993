package main_test

import (
	"testing"

	"weir/internal/awsapi/kinesis"
)

// TestKinesisClients lets AWS's own clients work with the API of data streams,
// and holds docs/reference/kinesis.md against what they did. The JavaScript SDK
// speaks h2c.
func TestKinesisClients(t *testing.T) {
	clients := []client{
		{name: "Go SDK", runs: []scenario{goScenario}},
		{name: "JavaScript SDK", runs: []scenario{javaScript("kinesis.mjs")}},
		{name: "AWS CLI", runs: []scenario{cliScenario}},
	}
	answers := runClients(t, clients)
	if t.Failed() {
		return
	}
	answers.all(t, kinesis.Model(), "CreateChannel", "DeleteChannel", "DescribeChannel", "UpdateChannel")
	answers.document(t, "kinesis.md", "operations", clients, kinesis.Model())
}
