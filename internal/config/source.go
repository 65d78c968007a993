package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"weir/internal/nearest"
)

const (
	maxFileBytes = 1 << 20 // of a settings file
	maxListItems = 1000    // in a list of a settings file
)

// Field is one setting, as help and documentation show it.
type Field struct {
	Name, Env, Default, Example, Group, Help string
	Kind                                     reflect.Type
}

// Fields lists the schema in its order.
func Fields() []Field {
	t := reflect.TypeFor[Settings]()
	fields := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		fields = append(fields, Field{
			Name: f.Tag.Get("name"), Env: f.Tag.Get("env"), Default: f.Tag.Get("default"),
			Example: f.Tag.Get("example"), Group: f.Tag.Get("group"), Help: f.Tag.Get("help"), Kind: f.Type,
		})
	}
	return fields
}

// otherVariables are the variables of the environment that are no settings:
// secrets, which belong into no file that is shown around, and what client
// commands read.
func otherVariables() []string {
	return []string{
		"WEIR_ROOT_ACCESS_KEY", "WEIR_ROOT_SECRET_KEY", "WEIR_STORE_ACCESS_KEY", "WEIR_STORE_SECRET_KEY",
		"WEIR_ENDPOINT",
	}
}

// Source answers kong with the values of the settings file.
type Source struct {
	file   string
	values map[string]string
	env    map[string]bool
	names  map[string]string // variables of the settings
}

var _ kong.Resolver = (*Source)(nil)

// NewSource reads the settings file that the arguments or the environment
// name, and refuses unknown names in both. Environ is that of os.Environ.
func NewSource(args, environ []string) (*Source, error) {
	s := &Source{values: map[string]string{}, env: map[string]bool{}, names: map[string]string{}}
	for _, f := range Fields() {
		s.names[f.Name] = f.Env
	}
	if err := s.readEnvironment(environ); err != nil {
		return nil, err
	}
	s.file = fileName(args, environ)
	if s.file == "" {
		return s, nil
	}
	f, err := os.Open(s.file)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if s.values, err = parseFile(data); err != nil {
		return nil, fmt.Errorf("read settings from %s: %w", s.file, err)
	}
	return s, nil
}

// fileName finds the settings file before kong has parsed anything.
func fileName(args, environ []string) string {
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--config="); ok {
			return name
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
		if arg == "--" {
			break
		}
	}
	for _, pair := range environ {
		if name, ok := strings.CutPrefix(pair, "WEIR_CONFIG="); ok {
			return name
		}
	}
	return ""
}

// readEnvironment notes which variables are set and refuses unknown ones.
func (s *Source) readEnvironment(environ []string) error {
	known := otherVariables()
	for _, f := range Fields() {
		known = append(known, f.Env)
	}
	var errs []error
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "WEIR_") {
			continue
		}
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("unknown environment variable %s%s", name, nearest.Hint(name, known)))
		}
		s.env[name] = true
	}
	return errors.Join(errs...)
}

// parseFile reads a flat YAML mapping; lists become comma-separated, as in the
// environment.
func parseFile(data []byte) (map[string]string, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("over the limit of %d bytes", maxFileBytes)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	values := map[string]string{}
	if len(document.Content) == 0 {
		return values, nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want lines of the form name: value", root.Line)
	}
	var known []string
	for _, f := range Fields() {
		if f.Name != "config" {
			known = append(known, f.Name)
		}
	}
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		text, err := nodeText(root.Content[i+1])
		_, twice := values[key.Value]
		switch {
		case !slices.Contains(known, key.Value):
			err = fmt.Errorf("unknown setting %s%s", key.Value, nearest.Hint(key.Value, known))
		case twice:
			err = fmt.Errorf("%s is set twice", key.Value)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", key.Line, err))
		}
		values[key.Value] = text
	}
	return values, errors.Join(errs...)
}

func nodeText(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "", nil
		}
		return n.Value, nil
	case yaml.SequenceNode:
		if len(n.Content) > maxListItems {
			return "", fmt.Errorf("over %d items", maxListItems)
		}
		items := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				return "", errors.New("a list may only hold plain values")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("want a plain value or a list")
}

// Validate is called by kong before anything is resolved.
func (s *Source) Validate(*kong.Application) error { return nil }

// Resolve gives the value of a flag that was not on the command line, unless
// the environment has it. A flag that only bears the name of a setting, which
// its variable tells, is left alone.
func (s *Source) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	text, ok := s.values[flag.Name]
	if !ok || !slices.Contains(flag.Envs, s.names[flag.Name]) {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if s.env[name] {
			return nil, nil
		}
	}
	if flag.IsBool() {
		return text == "true", boolError(text)
	}
	return text, nil
}

func boolError(text string) error {
	if text != "true" && text != "false" {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

// Load parses arguments that are flags only, as `weir serve` takes them.
func Load(args, environ []string) (*Settings, error) {
	source, err := NewSource(args, environ)
	if err != nil {
		return nil, err
	}
	var s Settings
	parser, err := kong.New(&s, kong.Name("weir serve"), kong.Resolvers(source), kong.Exit(func(int) {}))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return &s, nil
}
