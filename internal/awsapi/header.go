package awsapi

import (
	"net/http"
	"reflect"
)

// DecodeHeader sets the members of v that travel in headers. All of them are
// strings; an empty header is an absent one.
func DecodeHeader(h http.Header, v Value) {
	s, value := v.WireShape(), reflect.ValueOf(v).Elem()
	for i := range s.Members {
		m := &s.Members[i]
		if m.Location != Header {
			continue
		}
		text := h.Get(m.WireName)
		if text == "" {
			continue
		}
		p := reflect.New(value.Field(i).Type().Elem())
		p.Elem().SetString(text)
		value.Field(i).Set(p)
	}
}

// EncodeHeader sets the headers that carry members of v.
func EncodeHeader(h http.Header, v Value) {
	s, value := v.WireShape(), reflect.ValueOf(v).Elem()
	for i := range s.Members {
		m := &s.Members[i]
		if m.Location == Header && !value.Field(i).IsNil() {
			h.Set(m.WireName, value.Field(i).Elem().String())
		}
	}
}
