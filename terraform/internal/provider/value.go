package provider

import (
	"encoding/json"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// document is an object of the API as encoding/json decodes it, with numbers as [json.Number].
type document map[string]any

// text returns a field that is a string.
func (d document) text(name string) string {
	value, _ := d[name].(string)
	return value
}

// texts returns the strings of a field that is a list.
func (d document) texts(name string) []string {
	list, _ := d[name].([]any)
	var result []string
	for _, entry := range list {
		if value, ok := entry.(string); ok {
			result = append(result, value)
		}
	}
	return result
}

// fields returns the attributes of an object value.
func fields(value tftypes.Value) map[string]tftypes.Value {
	var result map[string]tftypes.Value
	_ = value.As(&result) // null and unknown have none
	return result
}

// encode returns a known value as encoding/json takes it.
func encode(value tftypes.Value) any {
	if value.IsNull() || !value.IsKnown() {
		return nil
	}
	switch {
	case value.Type().Is(tftypes.String):
		var text string
		_ = value.As(&text)
		return text
	case value.Type().Is(tftypes.Bool):
		var flag bool
		_ = value.As(&flag)
		return flag
	case value.Type().Is(tftypes.Number):
		var number big.Float
		_ = value.As(&number)
		return json.Number(number.Text('f', -1))
	case value.Type().Is(tftypes.Object{}), value.Type().Is(tftypes.Map{}):
		return map[string]any(encodeObject(value))
	}
	var entries []tftypes.Value
	_ = value.As(&entries)
	list := make([]any, len(entries))
	for n, entry := range entries {
		list[n] = encode(entry)
	}
	return list
}

// encodeObject returns the known attributes of an object, null ones too.
func encodeObject(value tftypes.Value) document {
	result := document{}
	for name, each := range fields(value) {
		if each.IsKnown() {
			result[name] = encode(each)
		}
	}
	return result
}

// decode returns a value of the given type. What has another type is null, as is an object of
// nothing but null.
func decode(of tftypes.Type, value any) tftypes.Value {
	null := tftypes.NewValue(of, nil)
	switch value := value.(type) {
	case string:
		if of.Is(tftypes.String) {
			return tftypes.NewValue(of, value)
		}
	case bool:
		if of.Is(tftypes.Bool) {
			return tftypes.NewValue(of, value)
		}
	case json.Number:
		number, _, err := big.ParseFloat(value.String(), 10, 512, big.ToNearestEven)
		if err == nil && of.Is(tftypes.Number) {
			return tftypes.NewValue(of, number)
		}
	case []any:
		return decodeList(of, value)
	case map[string]any:
		return decodeObject(of, value)
	}
	return null
}

func decodeList(of tftypes.Type, list []any) tftypes.Value {
	var element tftypes.Type
	switch of := of.(type) {
	case tftypes.Set:
		element = of.ElementType
	case tftypes.List:
		element = of.ElementType
	default:
		return tftypes.NewValue(of, nil)
	}
	values := make([]tftypes.Value, len(list))
	for n, entry := range list {
		values[n] = decode(element, entry)
	}
	return tftypes.NewValue(of, values)
}

func decodeObject(of tftypes.Type, object map[string]any) tftypes.Value {
	values, null := map[string]tftypes.Value{}, true
	switch of := of.(type) {
	case tftypes.Object:
		for name, each := range of.AttributeTypes {
			values[name] = decode(each, object[name])
			null = null && values[name].IsNull()
		}
	case tftypes.Map:
		null = false
		for name, each := range object {
			values[name] = decode(of.ElementType, each)
		}
	}
	if null {
		return tftypes.NewValue(of, nil)
	}
	return tftypes.NewValue(of, values)
}
