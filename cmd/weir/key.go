package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"weir/internal/auth"
	"weir/internal/auth/policy"
)

// keyCmd are the commands on keys. Its flags hold for all of them.
type keyCmd struct {
	remote
	outputFlag
	Create keyCreateCmd `cmd:"" help:"Make a key and show its secret, once."`
	Ls     keyLsCmd     `cmd:"" aliases:"list" help:"List the keys."`
	Policy keyPolicyCmd `cmd:"" help:"Show or change what a key may do."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key for good."`
}

// Help shows how it is used.
func (keyCmd) Help() string {
	return `Keys are for programs and people; each may do what its policies say. A policy is one of the ready-made ones (admin, read-only, publish, play) or a document in the language of AWS IAM.

Examples:

  weir key create --name porch-camera --policy publish
  weir key create --name orders --policy @orders.json
  weir key ls
  weir key revoke WEIRABCDEFGHIJKLMNOP`
}

// keyPath is the path of a key in the API.
func keyPath(accessKey string) string { return "/v1/keys/" + url.PathEscape(accessKey) }

// readPolicies turns arguments into policies: ready-made names, @FILE, and -
// for the input.
func readPolicies(args []string, in io.Reader) ([]auth.Policy, error) {
	out := []auth.Policy{}
	for _, arg := range args {
		file, isFile := strings.CutPrefix(arg, "@")
		if arg != "-" && !isFile {
			out = append(out, auth.Policy{Name: arg})
			continue
		}
		text, err := readPolicy(file, in)
		if err != nil {
			return nil, err
		}
		if _, err := policy.ParseIdentity(text); err != nil {
			return nil, fmt.Errorf("%s: %w", arg, err)
		}
		out = append(out, auth.Policy{Document: json.RawMessage(text)})
	}
	return out, nil
}

// readPolicy reads a document from a file, or from the input for "-".
func readPolicy(file string, in io.Reader) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read policy: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, policy.MaxDocument+1))
	if err != nil {
		return "", fmt.Errorf("read policy: %w", err)
	}
	return string(text), nil
}

// policyNames writes policies in a word or two.
func policyNames(policies []auth.Policy) string {
	words := make([]string, 0, len(policies))
	for _, p := range policies {
		if p.Name != "" {
			words = append(words, p.Name)
			continue
		}
		words = append(words, "document")
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
