package control

import (
	"encoding/base64"
	"strings"
)

// page is a part of a list that is sorted by name.
type page struct {
	prefix string // of all names of the list
	after  string // the last name of the page before
	size   int
}

// pageMark begins a token, so that a foreign one is told apart.
const pageMark = "1"

// newPage reads where a list goes on. operation is bound into the token, which
// goes on with the list that it came from.
func newPage(operation string, size *int32, most int, token *string, prefix string) (page, error) {
	p := page{prefix: prefix, size: most}
	if size != nil {
		p.size = min(int(*size), most)
	}
	if value(token) == "" {
		return p, nil
	}
	bad := invalid("NextToken is not one of a list that %s answered.", operation)
	text, err := base64.StdEncoding.DecodeString(*token)
	if err != nil {
		return p, bad
	}
	parts := strings.Split(string(text), "\n")
	if len(parts) != 4 || parts[0] != pageMark || parts[1] != operation {
		return p, bad
	}
	if prefix != "" && prefix != parts[2] {
		return p, invalid("NextToken is of a list with another condition.")
	}
	p.prefix, p.after = parts[2], parts[3]
	return p, nil
}

// token is the token of the page after one that ends with a name.
func (p page) token(operation, last string) *string {
	text := strings.Join([]string{pageMark, operation, p.prefix, last}, "\n")
	return new(base64.StdEncoding.EncodeToString([]byte(text)))
}

// cut returns the page of a sorted list, and the token of the next one, nil
// when this is the last.
func cut[T any](p page, operation string, list []T, name func(*T) string) ([]T, *string) {
	var out []T
	for i := range list {
		n := name(&list[i])
		if !strings.HasPrefix(n, p.prefix) || n <= p.after {
			continue
		}
		if len(out) == p.size {
			return out, p.token(operation, name(&out[len(out)-1]))
		}
		out = append(out, list[i])
	}
	return out, nil
}
