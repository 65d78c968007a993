package awsapi_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/internal/awsapi"
	"weir/internal/testkit"
)

// TestTexts runs the requests of testdata/requests.txt and compares what is
// said of them. A line is "service operation body"; ×N repeats what stands in
// brackets before it.
func TestTexts(t *testing.T) {
	file, err := os.Open("testdata/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got strings.Builder
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			fmt.Fprintln(&got, line)
			continue
		}
		service, rest, _ := strings.Cut(line, " ")
		operation, body, _ := strings.Cut(rest, " ")
		fmt.Fprintf(&got, "%s\n  %s\n", line, answer(t, service, operation, repeated(body)))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "texts.txt", got.String())
}

// repeated writes out ⟨text×N⟩.
func repeated(body string) string {
	for {
		before, rest, ok := strings.Cut(body, "⟨")
		if !ok {
			return body
		}
		inside, after, _ := strings.Cut(rest, "⟩")
		text, times, _ := strings.Cut(inside, "×")
		n := 0
		if _, err := fmt.Sscan(times, &n); err != nil {
			panic(err)
		}
		body = before + strings.Repeat(text, n) + after
	}
}

func answer(t *testing.T, service, operation, body string) string {
	t.Helper()
	for _, s := range services() {
		if s.ID != strings.ReplaceAll(service, "_", " ") {
			continue
		}
		o, ok := s.Operation(operation)
		if !ok {
			break
		}
		in := o.NewInput()
		err := awsapi.Decode(awsapi.AmzJSON, []byte(body), in)
		if err == nil {
			err = awsapi.Validate(in)
		}
		if err == nil {
			return "ok"
		}
		text := err.Error()
		if len(text) > 700 {
			text = fmt.Sprintf("%s… (%d bytes)", text[:700], len(text))
		}
		return text
	}
	t.Fatalf("there is no operation %s of %s", operation, service)
	return ""
}

// TestFailures compares answers to failed requests in every encoding.
func TestFailures(t *testing.T) {
	var got strings.Builder
	for _, s := range services() {
		errs := []error{
			awsapi.SerializationError("NUMBER_VALUE can not be converted to a String"),
			awsapi.ValidationError("1 validation error detected"),
			awsapi.UnknownOperation(),
			fmt.Errorf("open /secret: denied"),
		}
		for _, make := range s.Structures {
			if x, ok := make().(awsapi.Exception); ok {
				body := []byte(`{"message":"says so","Message":"says so"}`)
				if err := awsapi.Decode(awsapi.AmzJSON, body, x); err != nil {
					t.Fatal(err)
				}
				errs = append(errs, fmt.Errorf("operate: %w", x))
			}
		}
		encodings := []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR}
		if s.Protocol == awsapi.RESTJSON {
			encodings = []awsapi.Encoding{awsapi.PlainJSON}
		}
		fmt.Fprintf(&got, "# %s\n", s.ID)
		for _, err := range errs {
			for _, e := range encodings {
				f := awsapi.EncodeFailure(s.Protocol, e, err)
				fmt.Fprintf(&got, "%d %s %s %q\n", f.Status, f.Header.Get("Content-Type"), f.Header.Get("x-amzn-ErrorType"), f.Body)
			}
		}
	}
	testkit.Golden(t, "failures.txt", got.String())
}
