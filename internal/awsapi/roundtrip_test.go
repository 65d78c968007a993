package awsapi_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/awsapi"
)

// TestRoundTrip writes and reads random values of every structure of every
// service in both encodings.
func TestRoundTrip(t *testing.T) {
	for _, s := range services() {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			for _, make := range s.Structures {
				rapid.Check(t, func(t *rapid.T) {
					want := make()
					fill(t, want.WireShape(), reflect.ValueOf(want).Elem(), 0)
					for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
						roundTrip(t, e, want, make())
					}
				})
			}
		})
	}
}

func roundTrip(t *rapid.T, e awsapi.Encoding, want, got awsapi.Value) {
	body, err := awsapi.Encode(e, want)
	if err != nil {
		t.Fatal(err)
	}
	if e != awsapi.AmzCBOR && !json.Valid(body) {
		t.Fatalf("%s is no JSON: %s", want.WireShape().Name, body)
	}
	if err := awsapi.Decode(e, body, got); err != nil {
		t.Fatalf("decode %s from %s %q: %v", want.WireShape().Name, e.ContentType(), body, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: %q reads as %+v", want.WireShape().Name, body, got)
	}
}

// fill sets some members of a structure at random, fewer the deeper it lies.
func fill(t *rapid.T, s *awsapi.Shape, v reflect.Value, depth int) {
	for i, m := range s.Members {
		if m.Location != awsapi.Body || rapid.IntRange(0, depth).Draw(t, "absent") > 1 {
			continue
		}
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		value(t, m.Shape, f, depth+1)
	}
}

func value(t *rapid.T, s *awsapi.Shape, v reflect.Value, depth int) {
	switch s.Kind {
	case awsapi.Structure:
		fill(t, s, v, depth)
	case awsapi.List:
		n := rapid.IntRange(0, 2).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			value(t, s.Elem, v.Index(i), depth)
		}
	case awsapi.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			value(t, s.Key, k, depth)
			value(t, s.Elem, e, depth)
			v.SetMapIndex(k, e)
		}
	case awsapi.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case awsapi.Integer:
		v.SetInt(int64(rapid.Int32().Draw(t, "integer")))
	case awsapi.Long:
		v.SetInt(rapid.Int64().Draw(t, "long"))
	case awsapi.Double:
		v.SetFloat(rapid.Float64().Draw(t, "double"))
	case awsapi.Boolean:
		v.SetBool(rapid.Bool().Draw(t, "boolean"))
	case awsapi.Time: // from 1973 to 5138, where seconds and milliseconds can be told apart
		v.SetInt(rapid.Int64Range(1e11+1, 1e14).Draw(t, "time"))
	case awsapi.Blob:
		v.SetBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "blob"))
	}
}

// TestFieldsFollowTheTables holds each struct to its description.
func TestFieldsFollowTheTables(t *testing.T) {
	for _, s := range services() {
		for _, make := range s.Structures {
			v := make()
			shape, typ := v.WireShape(), reflect.TypeOf(v).Elem()
			if typ.NumField() != len(shape.Members) {
				t.Fatalf("%s %s has %d fields and %d members", s.ID, shape.Name, typ.NumField(), len(shape.Members))
			}
			for i, m := range shape.Members {
				if typ.Field(i).Name != m.Name {
					t.Errorf("%s %s: field %s is described as %s", s.ID, shape.Name, typ.Field(i).Name, m.Name)
				}
			}
		}
	}
}

// TestEmptyInputs validates the zero value of every input, which compiles what
// is compiled late and finds required members.
func TestEmptyInputs(t *testing.T) {
	for _, s := range services() {
		for _, o := range s.Operations {
			in := o.NewInput()
			required := false
			for _, m := range in.WireShape().Members {
				required = required || m.Required
			}
			if err := awsapi.Validate(in); (err != nil) != required {
				t.Errorf("%s: %v", o.Name, err)
			}
		}
	}
}
