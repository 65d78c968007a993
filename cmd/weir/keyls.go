package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"weir/internal/auth"
)

type keyLsCmd struct{}

// Run lists the keys.
func (keyLsCmd) Run(ctx context.Context, k *keyCmd, io streams) error {
	c, err := k.client()
	if err != nil {
		return err
	}
	var list struct {
		Keys []auth.KeyInfo `json:"keys"`
	}
	raw, err := c.call(ctx, http.MethodGet, "/v1/keys", nil, nil, &list)
	if err != nil {
		return err
	}
	if k.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	if len(list.Keys) == 0 {
		_, err := fmt.Fprintln(io.out, "no keys but the root's; weir key create makes one")
		return err
	}
	rows := [][]string{{"ACCESS KEY", "NAME", "POLICIES", "CREATED", "LAST USED", "STATE", "DESCRIPTION"}}
	for _, key := range list.Keys {
		state := "valid"
		if !key.Revoked.IsZero() {
			state = "revoked " + timeText(key.Revoked)
		}
		used := key.LastUsed
		if used == "" {
			used = "never"
		}
		rows = append(rows, []string{key.AccessKey, key.Name, policyNames(key.Policies), timeText(key.Created), used, state, key.Description})
	}
	return table(io.out, rows)
}
