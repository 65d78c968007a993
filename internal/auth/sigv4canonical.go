package auth

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// canonical appends the canonical request, up to but without the hash of the
// payload, to dst:
//
//	METHOD \n path \n query \n name:value \n … \n \n name;name… \n
//
// The path is taken from the request line as it came and encoded once more,
// except for S3, so that nothing which routes or rewrites a request can change
// what is verified.
func (s *signature) canonical(dst []byte, r *http.Request, host string) ([]byte, error) {
	path, query := target(r)
	dst = append(append(dst, r.Method...), '\n')
	if s.Service == "s3" {
		dst = append(dst, path...)
	} else {
		dst = appendEscaped(dst, path, true)
	}
	dst = append(dst, '\n')
	dst, ok := s.appendQuery(dst, query)
	if !ok {
		return nil, errIncomplete("The query string is malformed.")
	}
	dst = append(dst, '\n')
	for _, name := range s.headers {
		dst = append(append(dst, name...), ':')
		if dst, ok = appendHeader(dst, r, name, host); !ok {
			return nil, errMismatch()
		}
		dst = append(dst, '\n')
	}
	dst = append(append(dst, '\n'), s.list...)
	return append(dst, '\n'), nil
}

// target splits the request line's target into its path and query.
func target(r *http.Request) (path, query string) {
	text := r.RequestURI
	if text == "" {
		text = r.URL.RequestURI()
	}
	if !strings.HasPrefix(text, "/") {
		// The absolute form, which is sent to proxies.
		if _, rest, ok := strings.Cut(text, "://"); ok {
			at := strings.IndexAny(rest, "/?")
			if at < 0 {
				at = len(rest)
			}
			text = rest[at:]
		}
	}
	path, query, _ = strings.Cut(text, "?")
	if path == "" {
		path = "/"
	}
	return path, query
}

const upperHex = "0123456789ABCDEF"

// unreserved tells whether a byte stands for itself in canonical text.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func appendEscaped(dst []byte, text string, slash bool) []byte {
	for i := range len(text) {
		c := text[i]
		if unreserved(c) || slash && c == '/' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

// appendRecoded decodes what is escaped in text and escapes it anew, in the
// one way that is canonical. A + is a space, as it is for those who read the
// parameter.
func appendRecoded(dst []byte, text string) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(text) {
				return dst, false
			}
			hi, ok1 := unhex(text[i+1])
			lo, ok2 := unhex(text[i+2])
			if !ok1 || !ok2 {
				return dst, false
			}
			c, i = hi<<4|lo, i+2
		}
		if unreserved(c) {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// appendQuery appends the parameters in the order of their encoded names and
// values, without the signature itself.
func (s *signature) appendQuery(dst []byte, query string) ([]byte, bool) {
	if query == "" {
		return dst, true
	}
	type pair struct{ name, value string }
	pairs := make([]pair, 0, 8)
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		if len(pairs) == maxQueryPairs {
			return dst, false
		}
		name, value, _ := strings.Cut(part, "=")
		n, ok1 := appendRecoded(nil, name)
		v, ok2 := appendRecoded(nil, value)
		if !ok1 || !ok2 {
			return dst, false
		}
		if s.query && string(n) == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{string(n), string(v)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(append(dst, p.name...), '='), p.value...)
	}
	return dst, true
}

// appendHeader appends the value of a signed header. Package net/http takes
// some headers that belong to a connection out of the request; what they said
// is put together again. A header that was signed and is gone fails.
func appendHeader(dst []byte, r *http.Request, name, host string) ([]byte, bool) {
	if name == "host" || name == ":authority" {
		return append(dst, host...), true
	}
	values := headerValues(r.Header, name)
	if len(values) > 0 {
		for i, v := range values {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendFolded(dst, v)
		}
		return dst, true
	}
	switch name {
	case "content-length":
		if r.ContentLength < 0 {
			return dst, false
		}
		return strconv.AppendInt(dst, r.ContentLength, 10), true
	case "transfer-encoding":
		return append(dst, strings.Join(r.TransferEncoding, ",")...), len(r.TransferEncoding) > 0
	case "expect": // HTTP/2 takes it away when it has answered
		return append(dst, "100-continue"...), r.ProtoMajor >= 2
	case "connection": // a client signs it, and HTTP/2 does not send it
		if r.Close {
			return append(dst, "close"...), true
		}
		return append(dst, "keep-alive"...), r.ProtoMajor >= 2
	case "trailer":
		names := make([]string, 0, len(r.Trailer))
		for n := range r.Trailer {
			names = append(names, strings.ToLower(n))
		}
		slices.Sort(names)
		return append(dst, strings.Join(names, ",")...), len(names) > 0
	}
	return dst, false
}

// headerValues finds a header by its name in lower case, without allocating
// the name in the form that package net/http uses.
func headerValues(h http.Header, name string) []string {
	var room [64]byte
	key := room[:0]
	upper := true
	for _, c := range []byte(name) {
		if upper && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = c == '-'
		key = append(key, c)
	}
	return h[string(key)]
}

// appendFolded appends a value without spaces at its ends, and with one space
// for each run of them.
func appendFolded(dst []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	if !strings.Contains(value, "  ") {
		return append(dst, value...)
	}
	for i := range len(value) {
		if value[i] == ' ' && value[i-1] == ' ' {
			continue
		}
		dst = append(dst, value[i])
	}
	return dst
}

// hosts lists how a client may have written the host that it signed: as it
// came, and with or without the port that goes without saying. All of them
// name the same place.
func hosts(r *http.Request) []string {
	port := "80"
	if r.TLS != nil {
		port = "443"
	}
	if host, ok := strings.CutSuffix(r.Host, ":"+port); ok {
		return []string{r.Host, host}
	}
	if _, _, err := net.SplitHostPort(r.Host); err == nil {
		return []string{r.Host}
	}
	return []string{r.Host, r.Host + ":" + port}
}
