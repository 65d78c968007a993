package awsapi

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// echo shows a value as AWS's servers do, which is how Java prints it.
func echo(s *Shape, v reflect.Value) string {
	var b strings.Builder
	printValue(&b, s, v)
	text := b.String()
	if len(text) > maxEcho {
		text = strings.ToValidUTF8(text[:maxEcho], "") + "..."
	}
	return text
}

func printValue(b *strings.Builder, s *Shape, v reflect.Value) {
	if b.Len() > maxEcho {
		return
	}
	if s.Sensitive {
		b.WriteString("***Sensitive Data Redacted***")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		printValue(b, s, v.Elem())
	case reflect.String:
		b.WriteString(v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int32, reflect.Int64:
		if t, ok := v.Interface().(Timestamp); ok {
			b.WriteString(t.String())
			return
		}
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.Slice:
		printSlice(b, s, v)
	case reflect.Map:
		b.WriteByte('{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k.String())
			b.WriteByte('=')
			printValue(b, s.Elem, v.MapIndex(k))
		}
		b.WriteByte('}')
	case reflect.Struct:
		printStruct(b, s, v)
	}
}

// printSlice shows a list, or that a blob is one and how long it is.
func printSlice(b *strings.Builder, s *Shape, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		fmt.Fprintf(b, "java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", v.Len(), v.Len())
		return
	}
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteString(", ")
		}
		printValue(b, s.Elem, v.Index(i))
	}
	b.WriteByte(']')
}

func printStruct(b *strings.Builder, s *Shape, v reflect.Value) {
	b.WriteString(s.Name)
	b.WriteByte('(')
	for i := range s.Members {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.Members[i].Path)
		b.WriteByte('=')
		f := v.Field(i)
		if (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && f.IsNil() {
			b.WriteString("null")
			continue
		}
		printValue(b, s.Members[i].Shape, f)
	}
	b.WriteByte(')')
}
