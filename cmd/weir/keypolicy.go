package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"weir/internal/auth"
)

type keyPolicyCmd struct {
	AccessKey string   `arg:"" help:"The key."`
	Set       []string `sep:"none" placeholder:"POLICY" help:"Replace its policies: admin, read-only, publish, play, @FILE, or - for the input. May be given again."`
	None      bool     `help:"Take all policies away: the key may do nothing."`
}

// Help shows how it is used.
func (keyPolicyCmd) Help() string {
	return `Without --set it shows the policies. A change holds at once.

Examples:

  weir key policy WEIRABCDEFGHIJKLMNOP
  weir key policy WEIRABCDEFGHIJKLMNOP --set play --set @more.json`
}

// Run shows or replaces the policies of a key.
func (a *keyPolicyCmd) Run(ctx context.Context, k *keyCmd, io streams) error {
	if a.None && len(a.Set) > 0 {
		return &usageError{"--none and --set exclude each other"}
	}
	policies, err := readPolicies(a.Set, io.in)
	if err != nil {
		return err
	}
	c, err := k.client()
	if err != nil {
		return err
	}
	var key auth.KeyInfo
	var raw json.RawMessage
	if a.None || len(policies) > 0 {
		raw, err = c.call(ctx, http.MethodPut, keyPath(a.AccessKey)+"/policies", nil, map[string]any{"policies": policies}, &key)
	} else {
		raw, err = c.call(ctx, http.MethodGet, keyPath(a.AccessKey), nil, nil, &key)
	}
	if err != nil {
		return err
	}
	if k.json() {
		return writeJSON(io.out, raw)
	}
	if len(key.Policies) == 0 {
		_, err := fmt.Fprintln(io.out, "no policies: the key may do nothing")
		return err
	}
	for _, p := range key.Policies {
		var text bytes.Buffer
		if err := json.Indent(&text, p.Document, "", "  "); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		name := p.Name
		if name == "" {
			name = "document"
		}
		if _, err := fmt.Fprintf(io.out, "# %s\n%s\n", name, text.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
