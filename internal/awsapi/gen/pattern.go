package main

import (
	"fmt"
	"regexp"
	"strings"
)

// translation is a pattern of a model in Go's syntax, with the exceptions that
// look-around made.
type translation struct {
	expr, forbid string
}

// lookaround holds by hand what Go's syntax cannot say.
func lookaround() map[string]translation {
	const label = `[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?`
	const word = `[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*`
	return map[string]translation{
		`^(?!\s*$).+`: {expr: `[^\n\r]+`, forbid: `\s*`},
		`^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`: {expr: word, forbid: `aws:` + word},
		`^(?=^\$)(?=^\S+$).*$`:                    {expr: `\$\S*`},
		`jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`: {
			expr: `jdbc:(redshift|postgresql)://(` + label + `\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`,
		},
	}
}

// translate turns a pattern in Java's syntax into Go's.
func translate(text string) (translation, error) {
	t, ok := lookaround()[text]
	if !ok {
		t.expr = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`).ReplaceAllString(text, `\x{$1}`)
		// A possessive count takes the same strings as a plain one.
		t.expr = regexp.MustCompile(`(\{\d+(?:,\d*)?\})\+`).ReplaceAllString(t.expr, `$1`)
		t.expr = withoutLineEnds(t.expr)
	}
	for _, e := range []string{t.expr, t.forbid} {
		if _, err := regexp.Compile(e); err != nil {
			return t, fmt.Errorf("translate pattern %q: %w; add it to lookaround", text, err)
		}
	}
	return t, nil
}

// withoutLineEnds writes out the dot outside of classes: Java's takes none of
// the five line ends, Go's takes all but one.
func withoutLineEnds(expr string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '\\' && i+1 < len(expr):
			b.WriteByte(c)
			i++
			c = expr[i]
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '.' && !class:
			b.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
