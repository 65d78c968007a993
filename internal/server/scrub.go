package server

import (
	"net/url"
	"strings"
)

const maxLoggedURL = 500 // bytes

// ScrubURL writes an address for the log: without user information and with
// *** for everything that lets somebody in.
func ScrubURL(u *url.URL) string {
	shown := *u
	if u.User != nil {
		shown.User = url.User("***")
	}
	shown.Fragment, shown.RawFragment = "", ""
	shown.RawQuery = scrubQuery(u.RawQuery)
	return clip(shown.String(), maxLoggedURL)
}

// scrubQuery works on the text, so that a query that does not parse is
// scrubbed as well, and one that does is logged as it came.
func scrubQuery(raw string) string {
	parts := strings.FieldsFunc(raw, func(c rune) bool { return c == '&' || c == ';' })
	for i, part := range parts {
		name, _, ok := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err != nil || secretName(plain) {
			if parts[i] = "***"; ok && err == nil {
				parts[i] = name + "=***"
			}
		}
	}
	return strings.Join(parts, "&")
}

// secretName tells whether a query parameter gives access.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"token", "secret", "password", "passwd", "signature", "credential", "link", "key", "auth"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
