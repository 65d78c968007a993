package testkit

import (
	"os"
	"path/filepath"
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
