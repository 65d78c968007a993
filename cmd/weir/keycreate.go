package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

type keyCreateCmd struct {
	Name        string   `placeholder:"NAME" help:"Whom or what it is for: what policies call aws:username. Several keys may have one name."`
	Description string   `placeholder:"TEXT" help:"A note."`
	Policy      []string `sep:"none" placeholder:"POLICY" help:"What it may do: admin, read-only, publish, play, @FILE with a document, or - for the input. May be given again. Without one it may do nothing."`
}

// Help shows how it is used.
func (keyCreateCmd) Help() string {
	return `The secret is shown now and never again.

Examples:

  weir key create --name porch-camera --policy publish
  weir key create --name auditor --description 'until May' --policy read-only
  weir key create --name orders --policy @orders.json -o json`
}

// Run makes a key.
func (a *keyCreateCmd) Run(ctx context.Context, k *keyCmd, io streams) error {
	policies, err := readPolicies(a.Policy, io.in)
	if err != nil {
		return err
	}
	c, err := k.client()
	if err != nil {
		return err
	}
	var key keyAnswer
	raw, err := c.call(ctx, http.MethodPost, "/v1/keys", nil, keyRequest{a.Name, a.Description, policies}, &key)
	if err != nil {
		return err
	}
	if k.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	_, err = fmt.Fprintf(io.out, "access key  %s\nsecret key  %s\nname        %s\npolicies    %s\n", key.AccessKey, key.SecretKey, key.Name, policyNames(key.Policies))
	if err == nil {
		_, err = fmt.Fprintln(io.err, "Keep the secret: it is not shown again.")
	}
	return err
}
