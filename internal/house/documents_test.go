package house

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinksLeadSomewhere follows every relative link of the documents, with
// its heading.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	dir := root(t)
	seen := 0
	walk(t, func(name string, data []byte) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(string(data)), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", name, m[1], err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			seen++
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(target)))
			if err != nil {
				if info, err := os.Stat(filepath.Join(dir, target)); err == nil && info.IsDir() {
					continue
				}
				t.Errorf("%s: link %q leads nowhere", name, m[1])
				continue
			}
			if u.Fragment != "" && !hasHeading(string(text), u.Fragment) {
				t.Errorf("%s: link %q: there is no such heading", name, m[1])
			}
		}
	}, ".md")
	if seen == 0 {
		t.Error("found no link; the pattern is wrong")
	}
}

// withoutCode drops code, in which brackets are no links.
func withoutCode(text string) string {
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "")
}

// hasHeading tells whether a heading gets that anchor.
func hasHeading(text, anchor string) bool {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, line := range strings.Split(text, "\n") {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		slug := strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		if slug == anchor {
			return true
		}
	}
	return false
}

// TestEveryDocumentIsFound wants every page of docs in the index.
func TestEveryDocumentIsFound(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root(t), "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	walk(t, func(name string, _ []byte) {
		page, ok := strings.CutPrefix(name, "docs/")
		if ok && page != "README.md" && !strings.Contains(string(index), "]("+page+")") {
			t.Errorf("docs/README.md does not name %s", page)
		}
	}, ".md")
}

// TestNoMachineShows keeps paths and hosts of the machines that the project is
// made on out of it.
func TestNoMachineShows(t *testing.T) {
	private := regexp.MustCompile(`(^|[\s"'=(])/(work|root)/`)
	walk(t, func(name string, data []byte) {
		for n, line := range strings.Split(string(data), "\n") {
			if private.MatchString(line) {
				t.Errorf("%s:%d: names a path of one machine: %s", name, n+1, strings.TrimSpace(line))
			}
		}
	}, ".go", ".md", ".sh", ".ts", ".tsx", ".yaml", ".yml", ".json")
}
