package auth

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// AWS Signature Version 4, as a server sees it. A signature covers the method,
// the path, the query, the headers that it lists and, by its hash, the body:
//
//	Authorization: AWS4-HMAC-SHA256 Credential=KEY/20261123/us-east-1/kinesis/aws4_request,
//	               SignedHeaders=host;x-amz-date;x-amz-target, Signature=<64 hex digits>
//
// or the same five parts as parameters of the query, with X-Amz-Expires. The
// header form is valid for five minutes around X-Amz-Date; within them it may
// be replayed, here as at AWS: use TLS off the machine.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
const (
	sigAlgorithm  = "AWS4-HMAC-SHA256"
	sigTerminator = "aws4_request"
	stampLayout   = "20060102T150405Z"
	dayLayout     = "20060102"

	maxSkew          = 5 * time.Minute
	maxPresigned     = 7 * 24 * time.Hour
	maxAuthorization = 8 << 10 // bytes of the header
	maxSignedHeaders = 100
	maxScopePart     = 64 // bytes of region and service
	maxQueryPairs    = 1000
	signatureBytes   = 32
)

// Scope is the part of AWS that a signature was made for.
type Scope struct {
	Region  string
	Service string
}

// signature is what a request says of its own signature.
type signature struct {
	query     bool // the parts came in the query
	accessKey string
	day       string // of the scope, yyyymmdd
	Scope
	scope   string // day/region/service/aws4_request
	stamp   string // as it is signed
	at      time.Time
	expires time.Duration // 0 for the header form's window
	list    string        // of the signed headers, as it is signed
	headers []string
	room    [16]string // for headers, of most requests
	sum     [signatureBytes]byte
}

// signedInHeader and signedInQuery tell where a request carries a signature.
func signedInHeader(r *http.Request) bool {
	for _, value := range r.Header["Authorization"] {
		if strings.HasPrefix(value, "AWS4-") {
			return true
		}
	}
	return false
}

func signedInQuery(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "X-Amz-") && r.URL.Query().Has("X-Amz-Algorithm") ||
		strings.Contains(r.URL.RawQuery, "X-Amz-") && r.URL.Query().Has("X-Amz-Signature")
}

// parse reads the signature of a request, in either form.
func (s *signature) parse(r *http.Request) error {
	inHeader, inQuery := len(r.Header["Authorization"]) > 0, signedInQuery(r)
	switch {
	case inHeader && inQuery:
		return errBothPlaces()
	case !inHeader && !inQuery:
		return errNone()
	}
	if r.Header.Get("X-Amz-Security-Token") != "" || inQuery && r.URL.Query().Has("X-Amz-Security-Token") {
		return errSessionToken()
	}
	if inQuery {
		return s.parseQuery(r)
	}
	return s.parseHeader(r)
}

func (s *signature) parseHeader(r *http.Request) error {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return errIncomplete("The request has %d 'Authorization' headers.", len(values))
	}
	text := values[0]
	if len(text) > maxAuthorization {
		return errIncomplete("The 'Authorization' header is over the limit of %d bytes.", maxAuthorization)
	}
	word, rest, _ := strings.Cut(text, " ")
	if word != sigAlgorithm {
		return errIncomplete("Unsupported AWS 'algorithm': '%s'.", clip(word))
	}
	var parts [3]string
	names := [3]string{"Credential", "SignedHeaders", "Signature"}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		for i := range names {
			if name == names[i] {
				if parts[i] != "" {
					return errIncomplete("Authorization header holds '%s' twice.", name)
				}
				parts[i] = value
			}
		}
	}
	var missing strings.Builder
	for _, i := range []int{0, 2, 1} {
		if parts[i] == "" {
			missing.WriteString("Authorization header requires '" + names[i] + "' parameter. ")
		}
	}
	ok, err := s.headerDate(r)
	if err != nil {
		return err
	}
	if !ok {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return errIncomplete("%sAuthorization=%s", missing.String(), clip(text))
	}
	return s.set(parts[0], parts[1], parts[2])
}

// headerDate takes the time of signing; X-Amz-Date goes before Date.
func (s *signature) headerDate(r *http.Request) (bool, error) {
	for _, name := range []string{"X-Amz-Date", "Date"} {
		values := r.Header[name]
		switch {
		case len(values) > 1:
			return false, errIncomplete("The request has %d '%s' headers.", len(values), name)
		case len(values) == 0 || values[0] == "":
			continue
		}
		at, err := parseStamp(values[0])
		if err != nil && name == "Date" {
			at, err = http.ParseTime(values[0])
		}
		if err != nil {
			return false, errIncomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(values[0]))
		}
		if s.at, s.stamp = at, values[0]; len(s.stamp) != len(stampLayout) {
			s.stamp = stampOf(at)
		}
		return true, nil
	}
	return false, nil
}

func (s *signature) parseQuery(r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errIncomplete("The query string is malformed.")
	}
	names := []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"}
	var missing strings.Builder
	for _, name := range append([]string{"X-Amz-Expires", "X-Amz-Content-Sha256"}, names...) {
		if len(q[name]) > 1 {
			return errIncomplete("AWS query-string parameters must include '%s' once. Re-examine the query-string parameters.", name)
		}
	}
	for _, name := range names {
		if q.Get(name) == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return errIncomplete("%sRe-examine the query-string parameters.", missing.String())
	}
	if a := q.Get("X-Amz-Algorithm"); a != sigAlgorithm {
		return errIncomplete("Unsupported AWS 'algorithm': '%s'.", clip(a))
	}
	s.query, s.stamp = true, q.Get("X-Amz-Date")
	if s.at, err = parseStamp(s.stamp); err != nil {
		return errIncomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(s.stamp))
	}
	if text := q.Get("X-Amz-Expires"); text != "" {
		if s.expires, err = parseExpires(text); err != nil {
			return err
		}
	}
	return s.set(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"))
}

// parseExpires reads a number of seconds, up to a week.
func parseExpires(text string) (time.Duration, error) {
	if strings.HasPrefix(text, "-") {
		return 0, errIncomplete("X-Amz-Expires must be non-negative")
	}
	seconds := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, errIncomplete("X-Amz-Expires should be a number")
		}
		if seconds = seconds*10 + int(c-'0'); seconds > int(maxPresigned/time.Second) {
			return 0, errIncomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
	}
	if seconds == 0 {
		return 0, errIncomplete("X-Amz-Expires must be greater than 0")
	}
	return time.Duration(seconds) * time.Second, nil
}

// set takes the three parts that both forms have.
func (s *signature) set(credential, list, sum string) error {
	var parts [5]string
	n, rest, more := 0, credential, true
	for ; n < len(parts) && more; n++ {
		parts[n], rest, more = strings.Cut(rest, "/")
	}
	if n < len(parts) || more {
		return errIncomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(credential))
	}
	s.accessKey, s.day, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	s.scope = credential[len(s.accessKey)+1:]
	if parts[4] != sigTerminator {
		return errSignature("Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", clip(parts[4]))
	}
	if !scopePart(s.Region) {
		return errSignature("Credential should be scoped to a valid region, not '%s'. ", clip(s.Region))
	}
	if !scopePart(s.Service) {
		return errSignature("Credential should be scoped to a correct service, not '%s'. ", clip(s.Service))
	}
	if day := s.stamp[:len(dayLayout)]; s.day != day {
		return errSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", clip(s.day), day, s.stamp)
	}
	if len(sum) != 2*signatureBytes {
		return errMismatch()
	}
	if _, err := hex.Decode(s.sum[:], []byte(sum)); err != nil {
		return errMismatch()
	}
	s.list, s.headers = list, s.room[:0]
	for name := range strings.SplitSeq(list, ";") {
		s.headers = append(s.headers, name)
	}
	return s.checkHeaders()
}

// scopePart tells whether text may be a region or a service.
func scopePart(text string) bool {
	if text == "" || len(text) > maxScopePart {
		return false
	}
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// checkHeaders holds the list of signed headers to its form: lower case, no
// name twice, and host among them.
func (s *signature) checkHeaders() error {
	if len(s.headers) > maxSignedHeaders {
		return errIncomplete("The request signs %d headers, over the limit of %d.", len(s.headers), maxSignedHeaders)
	}
	host := false
	for i, name := range s.headers {
		if !headerName(name) {
			return errIncomplete("'SignedHeaders' holds '%s', which is no header name in lower case.", clip(name))
		}
		for _, other := range s.headers[:i] {
			if other == name {
				return errIncomplete("'SignedHeaders' holds '%s' twice.", name)
			}
		}
		host = host || name == "host" || name == ":authority"
	}
	if !host {
		return errSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

// headerName tells whether text is a header name in lower case, or :authority.
func headerName(text string) bool {
	if text == ":authority" {
		return true
	}
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}

// signs tells whether the header of that name is signed.
func (s *signature) signs(name string) bool {
	for _, h := range s.headers {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// checkTime refuses what was signed too long ago, or in the future.
func (s *signature) checkTime(now time.Time) error {
	if late := s.at.Sub(now); late > maxSkew {
		return errSkew("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			s.stamp, stampOf(now.Add(maxSkew)), stampOf(now))
	}
	if s.expires > 0 {
		if end := s.at.Add(s.expires); now.After(end) {
			return errSkew("Signature expired: %s is now earlier than %s", stampOf(end), stampOf(now))
		}
		return nil
	}
	if now.Sub(s.at) > maxSkew {
		return errSkew("Signature expired: %s is now earlier than %s (%s - 5 min.)", s.stamp, stampOf(now.Add(-maxSkew)), stampOf(now))
	}
	return nil
}

// parseStamp reads a time in the form 20060102T150405Z and in no other. Package
// time is several times slower, and takes fractions of a second as well.
func parseStamp(text string) (time.Time, error) {
	if len(text) != len(stampLayout) || text[8] != 'T' || text[15] != 'Z' {
		return time.Time{}, errNotStamp
	}
	var n [6]int
	at := 0
	for i, digits := range [6]int{4, 2, 2, 2, 2, 2} {
		if i == 3 {
			at++ // the T
		}
		for range digits {
			c := text[at]
			if c < '0' || c > '9' {
				return time.Time{}, errNotStamp
			}
			n[i], at = n[i]*10+int(c-'0'), at+1
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	if t.Month() != time.Month(n[1]) || t.Day() != n[2] || t.Hour() != n[3] || t.Minute() != n[4] || t.Second() != n[5] {
		return time.Time{}, errNotStamp
	}
	return t, nil
}

var errNotStamp = errors.New("the time has another form")

func stampOf(t time.Time) string { return t.UTC().Format(stampLayout) }

// maxEchoed bounds what of a request comes back in a refusal.
const maxEchoed = 300 // bytes

// clip shortens what a client wrote, for a refusal.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxEchoed)], "?")
}
