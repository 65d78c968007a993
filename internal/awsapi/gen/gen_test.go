package main

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/testkit"
)

// TestRender makes a package of a small model that has one of everything.
func TestRender(t *testing.T) {
	m, err := readModel("testdata", "lamp")
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(m, "lamp")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var got strings.Builder
	for _, name := range names {
		text, err := format.Source(files[name])
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, files[name])
		}
		got.WriteString("== " + name + "\n" + string(text))
	}
	testkit.Golden(t, "lamp.txt", got.String())
}

// TestMerge adds a supplement to a model twice; the second time nothing is new.
func TestMerge(t *testing.T) {
	m, err := readModel("testdata", "lamp")
	if err != nil {
		t.Fatal(err)
	}
	more := &model{
		Operations: map[string]*operation{"Switch": {Errors: []reference{{Shape: "Fused"}, {Shape: "Burnt"}}}, "Dim": {Input: &reference{Shape: "DimInput"}}},
		Shapes: map[string]*shape{
			"SwitchInput": {Members: members{{"Slowly", reference{Shape: "Flag"}}, {"Name", reference{Shape: "Other"}}}, Required: []string{}},
			"Colour":      {Enum: []string{"GREEN", "WARM-2_7"}},
			"DimInput":    {Type: "structure"},
			"Burnt":       {Type: "structure", Exception: true},
		},
	}
	for range 2 {
		m.merge(more)
		in := m.Shapes["SwitchInput"]
		if n := len(in.Members); in.Members[n-1].name != "Slowly" || in.Members[0].Shape != "Name" || len(in.Required) != 0 {
			t.Errorf("input became %+v", in)
		}
		if got := m.Shapes["Colour"].Enum; !slices.Equal(got, []string{"WARM-2_7", "cold", "GREEN"}) {
			t.Errorf("enum became %q", got)
		}
		if got := m.Operations["Switch"].Errors; len(got) != 2 || m.Operations["Dim"] == nil || m.Shapes["Burnt"] == nil {
			t.Errorf("errors became %v", got)
		}
	}
}

// TestRefusals wants an error for what the walker cannot do.
func TestRefusals(t *testing.T) {
	for name, change := range map[string]func(m *model){
		"holds itself": func(m *model) { m.Shapes["Beam"].Members = members{{"Inner", reference{Shape: "Beam"}}} },
		"travels as uri": func(m *model) {
			m.Shapes["Beam"].Members = members{{"Inner", reference{Shape: "Name", Location: "uri"}}}
		},
		"a map of":       func(m *model) { m.Shapes["Labels"].Value.Shape = "Beam" },
		"has no shape":   func(m *model) { m.Shapes["Beam"].Members = members{{"Inner", reference{Shape: "Nothing"}}} },
		"two things are": func(m *model) { m.Shapes["Colour"].Enum = []string{"a-b", "a_b"} },
		"is unknown":     func(m *model) { m.Shapes["Flag"].Type = "document" },
		"lookaround":     func(m *model) { m.Shapes["Name"].Pattern = "(?=x)y" },
	} {
		m, err := readModel("testdata", "lamp")
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		if _, err := render(m, "lamp"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}

// TestSettle writes files, finds them current, and finds what differs.
func TestSettle(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"a_gen.go": []byte("package a\n"), "b_gen.go": []byte("package a\n")}
	if err := settle(dir, files, true); err == nil {
		t.Error("files that are missing pass for current")
	}
	if err := settle(dir, files, false); err != nil {
		t.Fatal(err)
	}
	if err := settle(dir, files, true); err != nil {
		t.Error(err)
	}
	delete(files, "b_gen.go")
	if err := settle(dir, files, true); err == nil {
		t.Error("a file that is no longer made passes for current")
	}
	if err := settle(dir, files, false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b_gen.go")); err == nil {
		t.Error("a file that is no longer made was left")
	}
	files["a_gen.go"] = []byte("package b\n")
	if err := settle(dir, files, true); err == nil {
		t.Error("another text passes for current")
	}
}

// TestTranslate tries translated patterns on what Java's would take and refuse.
func TestTranslate(t *testing.T) {
	for _, c := range []struct{ pattern, takes, refuses string }{
		{`[a-zA-Z0-9_.-]+`, "a.b-c", "a b"},
		{`arn:aws:x:\d{1}+:\d{12}+:y`, "arn:aws:x:1:123456789012:y", "arn:aws:x:12:123456789012:y"},
		{`[\u0001-\uFFFF]*`, "aé", "\x00"},
		{`a.b`, "a\x0bb", "a\rb"},
		{`[.]\.x`, "..x", "ab"},
		{`^(?!\s*$).+`, " a ", "  "},
		{`^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`, "aw:s", "aws:s"},
		{`^(?=^\$)(?=^\S+$).*$`, "$LATEST", "$ x"},
		{
			`jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`,
			"jdbc:redshift://c-1.x.us-east-1.redshift.amazonaws.com:5439/dev",
			"jdbc:redshift://-c.x.us-east-1.redshift.amazonaws.com:5439/dev",
		},
	} {
		p, err := translate(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		fits := func(s string) bool {
			whole := func(e string) bool { return regexp.MustCompile(`\A(?:` + e + `)\z`).MatchString(s) }
			return whole(p.expr) && (p.forbid == "" || !whole(p.forbid))
		}
		if !fits(c.takes) {
			t.Errorf("%s refuses %q", c.pattern, c.takes)
		}
		if fits(c.refuses) {
			t.Errorf("%s takes %q", c.pattern, c.refuses)
		}
	}
}
