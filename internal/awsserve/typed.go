package awsserve

import "weir/internal/awsapi"

// Returns makes an entry of a function that has an output.
func Returns[In, Out awsapi.Value](f func(*Call, In) (Out, error)) Entry {
	return Entry{Answer: func(c *Call, in awsapi.Value) (awsapi.Value, error) {
		out, err := f(c, in.(In))
		if err != nil {
			return nil, err
		}
		return out, nil
	}}
}

// Does makes an entry of a function without an output.
func Does[In awsapi.Value](f func(*Call, In) error) Entry {
	return Entry{Answer: func(c *Call, in awsapi.Value) (awsapi.Value, error) { return nil, f(c, in.(In)) }}
}

// Writes makes an entry of a function that writes its output itself.
func Writes[In awsapi.Value](f func(*Call, In, *awsapi.Writer) error) Entry {
	return Entry{Write: func(c *Call, in awsapi.Value, w *awsapi.Writer) error { return f(c, in.(In), w) }}
}
