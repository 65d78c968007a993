package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/testkit"
)

// Lengths of files, in lines.
const (
	maxFile     = 500  // of a file that is no test
	maxTestFile = 1000 // of any
	minDoc      = 60   // bytes of a package's comment
)

// goFile is one file of the module.
type goFile struct {
	path    string // below the module, with slashes
	pkg     string // its directory, which is its import path without "weir/"
	test    bool
	imports []string // ours, without "weir/"
	lines   int
	syntax  *ast.File
}

// root is the module's directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := testkit.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// walk calls visit with every file below the module that is ours.
func walk(t *testing.T, visit func(name string, data []byte), ext ...string) {
	t.Helper()
	dir := root(t)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && name != "." && file != dir
			if hidden || name == "node_modules" || name == "testdata" || name == "dist" || name == "bin" || strings.HasPrefix(name, "weir-") {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(ext, filepath.Ext(name)) {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		visit(filepath.ToSlash(rel), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles parses every Go file of the module.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	walk(t, func(name string, data []byte) {
		syntax, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		f := goFile{
			path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
			lines: bytes.Count(data, []byte("\n")), syntax: syntax,
		}
		for _, i := range syntax.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(p, "weir/"); ok {
				f.imports = append(f.imports, ours)
			}
		}
		files = append(files, f)
	}, ".go")
	if len(files) < 50 {
		t.Fatalf("found %d files only; is this the module?", len(files))
	}
	return files
}

// TestPackagesSayWhatTheyAre wants one real comment per package.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	docs := map[string]int{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		docs[f.pkg] += 0
		if len(f.syntax.Doc.Text()) < minDoc {
			continue
		}
		docs[f.pkg]++
		text := f.syntax.Doc.Text()
		want := "Package " + f.syntax.Name.Name + " "
		if f.syntax.Name.Name == "main" {
			want = "Command " + path.Base(f.pkg) + " "
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment must begin with %q", f.path, want)
		}
	}
	for pkg, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want one", pkg, n)
		}
	}
}

// TestNames keeps out packages that hold everything.
func TestNames(t *testing.T) {
	bad := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"}
	for _, f := range goFiles(t) {
		if slices.Contains(bad, f.syntax.Name.Name) {
			t.Errorf("%s: a package named %s says nothing about what it is", f.path, f.syntax.Name.Name)
		}
	}
}

// TestNothingRunsByItself keeps out init functions and mutable state of
// packages; compiled-in data and sentinel errors are constants in all but name.
func TestNothingRunsByItself(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init function", f.path)
			}
		}
	}
}

// TestFilesStayShort holds files to a length that can be read. What is
// generated is read where it is made from.
func TestFilesStayShort(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.path, "_gen.go") && ast.IsGenerated(f.syntax) {
			continue
		}
		most := maxFile
		if f.test {
			most = maxTestFile
		}
		if f.lines > most {
			t.Errorf("%s has %d lines, at most %d", f.path, f.lines, most)
		}
	}
}

// TestNothingIsLeftOpen finds what was put off.
func TestNothingIsLeftOpen(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "not imple" + "mented"}
	walk(t, func(name string, data []byte) {
		for n, line := range strings.Split(string(data), "\n") {
			for _, w := range words {
				if strings.Contains(line, w) {
					t.Errorf("%s:%d: %s", name, n+1, w)
				}
			}
		}
	}, ".go", ".md", ".sh", ".ts", ".tsx", ".css", ".yaml", ".yml")
}
