// Command gen writes the packages of wire shapes below internal/awsapi from the
// API models of AWS.
//
//	gen -models DIR -out internal/awsapi          writes them
//	gen -models DIR -out internal/awsapi -check   tells whether they are current
//
// The models are not part of this tree, nor is any of their prose: what is
// taken from them are names, types, constraints, enum values, error codes and
// HTTP bindings. What a model lacks because it is older than the service stands
// in supplement/, in the same form: operations and shapes there are added, and
// for those that the model has, errors, members and enum values are added and the
// list of required members is replaced.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
)

// source pairs a model with the package made from it.
type source struct {
	model, pkg string
}

// sources lists the models in the order in which they are read.
func sources() []source {
	return []source{
		{"firehose", "firehose"},
		{"kinesis", "kinesis"},
		{"kinesisanalytics", "kinesisanalytics"},
		{"kinesisanalyticsv2", "kinesisanalyticsv2"},
		{"kinesisvideo", "kinesisvideo"},
		{"kinesis-video-archived-media", "kvarchived"},
		{"kinesis-video-media", "kvmedia"},
		{"kinesis-video-signaling", "kvsignaling"},
		{"kinesis-video-webrtc-storage", "kvwebrtcstorage"},
	}
}

func main() {
	models := flag.String("models", "", "directory of the API models")
	out := flag.String("out", "", "directory that holds the packages")
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	if err := run(*models, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(models, out string, check bool) error {
	if models == "" || out == "" {
		return errors.New("both -models and -out are needed")
	}
	for _, s := range sources() {
		m, err := readModel(models, s.model)
		if err != nil {
			return err
		}
		files, err := render(m, s.pkg)
		if err != nil {
			return fmt.Errorf("generate %s: %w", s.pkg, err)
		}
		if err := settle(filepath.Join(out, s.pkg), files, check); err != nil {
			return err
		}
	}
	return nil
}

// settle writes or compares the files of one package. A generated file that is
// no longer made is removed, or reported.
func settle(dir string, files map[string][]byte, check bool) error {
	old, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; ok {
			continue
		}
		if check {
			return fmt.Errorf("%s is no longer made; run make generate", path)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path := filepath.Join(dir, name)
		text, err := format.Source(files[name])
		if err != nil {
			return fmt.Errorf("format %s: %w", path, err)
		}
		if check {
			have, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !bytes.Equal(have, text) {
				return fmt.Errorf("%s differs from what the models give; run make generate", path)
			}
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
