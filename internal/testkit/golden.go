package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Golden compares got with testdata/name of the package under test. With
// REWRITE=1 in the environment it rewrites the file first, for a diff to
// review.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; REWRITE=1 rewrites it. Got:\n%s", name, got)
	}
}

// Section compares got with the part of a document between the comments
// <!-- name --> and <!-- /name -->, or with REWRITE=1 replaces it.
func Section(t testing.TB, path, name, got string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), "<!-- "+name+" -->\n")
	old, tail, closed := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !closed {
		t.Fatalf("%s has no section %s", path, name)
	}
	if old == got {
		return
	}
	if os.Getenv("REWRITE") == "" {
		t.Errorf("section %s of %s differs; REWRITE=1 rewrites it. Got:\n%s", name, path, got)
		return
	}
	text := head + "<!-- " + name + " -->\n" + got + "<!-- /" + name + " -->" + tail
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
