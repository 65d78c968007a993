package main

import "fmt"

type envCmd struct {
	DataDir  string `name:"data-dir" env:"WEIR_DATA_DIR" default:"./weir-data" help:"Data directory of the server."`
	Endpoint string `env:"WEIR_ENDPOINT" default:"http://127.0.0.1:7070" help:"Address of the server."`
}

// Help shows how it is used.
func (envCmd) Help() string {
	return "Example:\n\n  eval $(weir env)\n  weir video ls"
}

// Run prints export lines.
func (c envCmd) Run(io streams) error {
	pair, err := rootKeys(c.DataDir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "export WEIR_ENDPOINT=%s\nexport AWS_ENDPOINT_URL=%s\nexport AWS_REGION=us-east-1\nexport AWS_DEFAULT_REGION=us-east-1\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n",
		c.Endpoint, c.Endpoint, pair.AccessKey, pair.Secret.Reveal())
	return err
}
