package policy

import (
	"fmt"
	"strings"
)

// pattern is text with * for any characters, ? for one of them, and the name
// of who asks:
//
//	arn:aws:kinesis:*:*:stream/${aws:username}-*
type pattern struct {
	parts []part
}

type part struct {
	kind    partKind
	literal string
}

type partKind uint8

const (
	literal partKind = iota
	star
	question
	username
)

// lower makes ASCII letters small, without a copy where there is nothing to do.
func lower(text string) string { return strings.ToLower(text) }

// compile reads a pattern. Variables are those of AWS; of the ones that name
// something of a request, aws:username alone is known.
func compile(text string, wild, variables bool) (pattern, error) {
	var p pattern
	add := func(text string) {
		if n := len(p.parts); n > 0 && p.parts[n-1].kind == literal {
			p.parts[n-1].literal += text
			return
		}
		p.parts = append(p.parts, part{literal, text})
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && wild:
			if n := len(p.parts); n == 0 || p.parts[n-1].kind != star {
				p.parts = append(p.parts, part{kind: star})
			}
		case c == '?' && wild:
			p.parts = append(p.parts, part{kind: question})
		case c == '$' && variables && strings.HasPrefix(text[i:], "${"):
			name, _, ok := strings.Cut(text[i+2:], "}")
			switch {
			case !ok:
				return pattern{}, fmt.Errorf("the variable in %q has no end", text)
			case name == "*" || name == "?" || name == "$":
				add(name)
			case strings.EqualFold(name, "aws:username"):
				p.parts = append(p.parts, part{kind: username})
			default:
				return pattern{}, fmt.Errorf("the variable ${%s} is not known here; ${aws:username} is", name)
			}
			i += len(name) + 2
		default:
			add(text[i : i+1])
		}
	}
	return p, nil
}

// matches compares the whole text. A star that did not take enough takes one
// character more; only the last star ever has to.
func (p *pattern) matches(text, user string) bool {
	i, j, lastStar, mark := 0, 0, -1, 0
	for {
		if i == len(p.parts) && j == len(text) {
			return true
		}
		if i < len(p.parts) {
			if p.parts[i].kind == star {
				lastStar, mark = i, j
				i++
				continue
			}
			if n, ok := p.parts[i].takes(text[j:], user); ok {
				i, j = i+1, j+n
				continue
			}
		}
		if lastStar < 0 || mark == len(text) {
			return false
		}
		mark++
		i, j = lastStar+1, mark
	}
}

// takes tells how many bytes of text a part stands for.
func (p *part) takes(text, user string) (int, bool) {
	switch p.kind {
	case question:
		return 1, text != ""
	case username:
		return len(user), user != "" && strings.HasPrefix(text, user)
	}
	return len(p.literal), strings.HasPrefix(text, p.literal)
}
