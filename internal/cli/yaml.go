package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// writeYAML writes a value as YAML. It is our own: the library that is linked reads YAML, and its writer, which goes by
// types of Go, would be in the memory of every process that serves the platform.
func (p *program) writeYAML(value gjson.Result) error {
	_, err := io.WriteString(&visibleJSON{to: p.Out}, string(appendYAML(nil, value, 0))+"\n")
	return err
}

// appendYAML writes a value without a line break at its end. Nested lines are indented by indent spaces.
func appendYAML(dst []byte, value gjson.Result, indent int) []byte {
	switch {
	case value.IsObject():
		first := true
		value.ForEach(func(key, below gjson.Result) bool {
			dst = appendNewLine(dst, indent, first)
			first = false
			dst = append(append(dst, yamlText(key.String())...), ':')
			const step = 2
			if empty(below) || !below.IsObject() && !below.IsArray() {
				dst = append(dst, ' ')
			} else {
				dst = appendNewLine(dst, indent+step, false)
			}
			dst = appendYAML(dst, below, indent+step)
			return true
		})
		if first {
			dst = append(dst, "{}"...)
		}
	case value.IsArray():
		first := true
		value.ForEach(func(_, item gjson.Result) bool {
			dst = appendNewLine(dst, indent, first)
			first = false
			const dash = "- "
			dst = appendYAML(append(dst, dash...), item, indent+len(dash))
			return true
		})
		if first {
			dst = append(dst, "[]"...)
		}
	case value.Type == gjson.String:
		dst = append(dst, yamlText(value.String())...)
	default:
		dst = append(dst, value.Raw...)
	}
	return dst
}

func appendNewLine(dst []byte, indent int, first bool) []byte {
	if first {
		return dst
	}
	return append(append(dst, '\n'), strings.Repeat(" ", indent)...)
}

func empty(value gjson.Result) bool {
	there := false
	value.ForEach(func(_, _ gjson.Result) bool {
		there = true
		return false
	})
	return !there
}

// yamlText returns a text in YAML: plain if it is unambiguous, and else as in JSON.
func yamlText(text string) string {
	special := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && !strings.ContainsRune("0123456789_./-", r)
	}
	others := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
	if text == "" || strings.ContainsRune("0123456789./-", rune(text[0])) || strings.ContainsFunc(text, special) ||
		slices.Contains(others, strings.ToLower(text)) {
		return string(rawjson.Make(text))
	}
	return text
}
