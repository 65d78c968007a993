package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"weir/internal/auth"
)

type keyRevokeCmd struct {
	AccessKey string `arg:"" help:"The key to end."`
}

// Help says what goes with the key.
func (keyRevokeCmd) Help() string {
	return `It holds at once, for the addresses with tokens that the key has handed out and for its sessions of the console as well. There is no way back; make another key.`
}

// Run ends a key.
func (a *keyRevokeCmd) Run(ctx context.Context, k *keyCmd, io streams) error {
	c, err := k.client()
	if err != nil {
		return err
	}
	var key auth.KeyInfo
	raw, err := c.call(ctx, http.MethodDelete, keyPath(a.AccessKey), nil, nil, &key)
	if err != nil {
		return err
	}
	if k.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	_, err = fmt.Fprintf(io.out, "revoked %s (%s)\n", key.AccessKey, key.Name)
	return err
}
