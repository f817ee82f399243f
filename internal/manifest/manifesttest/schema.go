// Package manifesttest checks manifests in tests against the schema that the platform's tools check them with.
package manifesttest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Schema is a schema in the language of pykwalify, as far as the platform's schema of integrations uses it.
type Schema struct {
	whole    rule
	partials map[string]rule
}

// rule describes one value. Decoding is strict, so a word of the language that is not here fails the tests.
type rule struct {
	Type       string          `yaml:"type"`
	Required   bool            `yaml:"required"`
	AllowEmpty bool            `yaml:"allowempty"` // a mapping may have keys that are not declared
	Enum       []string        `yaml:"enum"`
	Include    string          `yaml:"include"`
	Mapping    map[string]rule `yaml:"mapping"`
	Sequence   []rule          `yaml:"sequence"`
}

// ReadSchema reads a schema from a file: one rule, and the named ones that others include. What it cannot
// read fails the test.
func ReadSchema(t *testing.T, path string) Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := yaml.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	read := Schema{partials: map[string]rule{}}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if name, partial := strings.CutPrefix(key, "schema;"); partial {
			read.partials[name] = decodeRule(t, keys[key])
			delete(keys, key)
		}
	}
	read.whole = decodeRule(t, keys)
	return read
}

func decodeRule(t *testing.T, value any) rule {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var decoded rule
	if err := yaml.UnmarshalWithOptions(text, &decoded, yaml.Strict()); err != nil {
		t.Fatalf("the schema uses what this test does not know: %v", err)
	}
	return decoded
}

// Problems lists where a YAML document violates the schema, each with its place. A text that is not YAML fails the test.
func (s Schema) Problems(t *testing.T, text []byte) []string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatalf("the document is no YAML: %v", err)
	}
	return s.check(s.whole, value, "")
}

func (s Schema) check(r rule, value any, place string) []string {
	if r.Include != "" {
		partial, known := s.partials[r.Include]
		if !known {
			return []string{place + ": the schema has no " + r.Include}
		}
		r = partial
	}
	if len(r.Enum) > 0 && !slices.Contains(r.Enum, fmt.Sprint(value)) {
		return []string{fmt.Sprintf("%s: is %v, want one of %v", place, value, r.Enum)}
	}
	switch typed := value.(type) {
	case map[string]any:
		if r.Type == "map" {
			return s.checkMapping(r, typed, place)
		}
	case []any:
		if r.Type == "seq" {
			return s.checkSequence(r, typed, place)
		}
	}
	if kind := kindOf(value); r.Type != kind && r.Type != "any" {
		return []string{fmt.Sprintf("%s: is %s, want %s", place, kind, r.Type)}
	}
	return nil
}

func (s Schema) checkMapping(r rule, values map[string]any, place string) []string {
	var problems []string
	for _, key := range slices.Sorted(maps.Keys(r.Mapping)) {
		if _, given := values[key]; r.Mapping[key].Required && !given {
			problems = append(problems, place+"/"+key+": is missing")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		of, declared := r.of(key)
		switch {
		case declared:
			problems = append(problems, s.check(of, values[key], place+"/"+key)...)
		case !r.AllowEmpty:
			problems = append(problems, place+"/"+key+": is not known")
		}
	}
	return problems
}

// of finds the rule for a key, which is declared by its name or by a pattern.
func (r rule) of(key string) (rule, bool) {
	if found, declared := r.Mapping[key]; declared {
		return found, true
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.Mapping)) {
		if strings.ContainsAny(pattern, "*+") && regexp.MustCompile("^(?:"+pattern+")$").MatchString(key) {
			return r.Mapping[pattern], true
		}
	}
	return rule{}, false
}

func (s Schema) checkSequence(r rule, values []any, place string) []string {
	if len(r.Sequence) != 1 {
		return []string{fmt.Sprintf("%s: the schema has %d rules for the items, want 1", place, len(r.Sequence))}
	}
	var problems []string
	for i, value := range values {
		problems = append(problems, s.check(r.Sequence[0], value, fmt.Sprintf("%s/%d", place, i))...)
	}
	return problems
}

func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "map"
	case []any:
		return "seq"
	case string:
		return "str"
	case int64, uint64:
		return "int"
	case bool:
		return "bool"
	}
	return fmt.Sprintf("%T", value)
}
