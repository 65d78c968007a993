package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Document writes the reference page of the settings.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Settings

Every setting is a flag of ` + "`weir serve`" + `, a key of the YAML file that ` + "`--config`" + ` names, and an environment variable. A flag wins over the environment, the environment over the file, the file over the default. Unknown names are refused.

Sizes are written as ` + "`1GiB`, `500MB` or `1024`" + `, times as ` + "`30d`, `12h`, `1h30m` or `2s`" + `. A list is repeated flags, a YAML list, or commas in the environment. Everything binds loopback unless told otherwise.

These variables have no flag, because they are secrets: ` + "`WEIR_ROOT_ACCESS_KEY`, `WEIR_ROOT_SECRET_KEY`" + ` (else generated once into the data directory), ` + "`WEIR_STORE_ACCESS_KEY`, `WEIR_STORE_SECRET_KEY`" + ` (else the standard AWS chain). Client commands read ` + "`WEIR_ENDPOINT`" + ` and the AWS variables.

This page is written from the schema in ` + "`internal/config`" + `; a test keeps the two equal.
`)
	group := ""
	for _, f := range Fields() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n## %s\n\n| flag and key | environment | default | example | |\n|---|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s | %s |\n", f.Name, f.Env, code(f.Default), code(f.example()), f.Help)
	}
	return b.String()
}

func (f Field) example() string {
	if f.Kind.Kind() == reflect.Bool && f.Example == "" {
		return f.Name + ": true"
	}
	if f.Example == "" {
		return ""
	}
	return f.Name + ": " + f.Example
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// Help is kong's formatter of the text behind a flag, to be given to
// kong.ValueFormatter: the help, the variable of the environment, default and example.
func Help(value *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(value)
	if value.HasDefault && value.Default != "" && value.Tag.PlaceHolder != "" && !value.IsBool() {
		text = strings.TrimSuffix(text, ".") + ". Default: " + value.Default
	}
	if example := value.Tag.Get("example"); example != "" {
		text = strings.TrimSuffix(text, ".") + ". Example: " + example
	}
	return text
}
