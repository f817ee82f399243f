package params

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxValue is the limit for one value of the configuration, in bytes. The longest sensible value, a private key with a
// whole chain of certificates, stays far below it.
const maxValue = 64 << 10

// form is the params object of an execution, with the problems found while reading it.
type form struct {
	values   [fieldCount]gjson.Result
	findings []finding
}

// finding is a Problem whose field does not have its display name yet.
type finding struct {
	field field
	part  part
	fix   string
}

// stopsEverything reports whether no command can run with the finding. Findings about the fetch stop only the fetch.
func (f finding) stopsEverything() bool { return parameters[f.field].Section != SectionCollect }

// part is one of the two inputs of a credentials field.
type part int

const (
	firstPart    part = iota // the identifier; of any other field, all of it
	passwordPart             // the input labelled DisplayPassword
)

// newForm finds the declared fields in a params object. It ignores other keys. Of a repeated key the last one counts, as
// when the platform reads JSON.
func newForm(raw json.RawMessage) (*form, error) {
	f := &form{}
	if len(raw) == 0 {
		return f, nil
	}
	// json.Valid bounds the nesting, which gjson's own check does not.
	object := gjson.ParseBytes(raw)
	if !json.Valid(raw) || !object.IsObject() && object.Type != gjson.Null {
		return nil, &Problems{List: []Problem{{
			Field: "Instance configuration",
			Fix:   "save the instance again; the parameters that the platform sent are not a JSON object.",
		}}}
	}
	object.ForEach(func(key, value gjson.Result) bool {
		if at, declared := fieldNamed(key.Str); declared {
			f.values[at] = value
		}
		return true
	})
	return f, nil
}

// refuse notes what to put into a field. The first note about a field stays: it is the cause of those that would follow.
func (f *form) refuse(at field, fix string) {
	if parameters[at].HiddenUsername {
		f.refusePart(at, passwordPart, fix)
		return
	}
	f.refusePart(at, firstPart, fix)
}

func (f *form) refusePart(at field, which part, fix string) {
	for _, known := range f.findings {
		if known.field == at && known.part == which {
			return
		}
	}
	f.findings = append(f.findings, finding{at, which, fix})
}

// problems returns everything that was refused, in the order of the parameters, or nil if nothing was.
func (f *form) problems() *Problems {
	if len(f.findings) == 0 {
		return nil
	}
	slices.SortFunc(f.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.part, b.part))
	})
	list := make([]Problem, len(f.findings))
	for i, found := range f.findings {
		label := parameters[found.field].Display
		if found.part == passwordPart {
			label = parameters[found.field].DisplayPassword
		}
		list[i] = Problem{Field: label, Fix: found.fix + "."}
	}
	return &Problems{List: list}
}

// text returns the trimmed text of a field, or the field's default if it is empty.
func (f *form) text(at field) string {
	text, err := scalar(f.values[at])
	if err != nil {
		f.refuse(at, err.Error())
		return ""
	}
	return cmp.Or(text, parameters[at].Default)
}

// scalar returns the trimmed text of a JSON string or number, or "" if the value is null or missing.
func scalar(value gjson.Result) (string, error) {
	switch {
	case value.Type == gjson.Null:
		return "", nil
	case value.Type != gjson.String && value.Type != gjson.Number:
		return "", errors.New("put text there; the stored value is of another kind")
	case len(value.Raw) > maxValue:
		return "", errors.New("put a shorter value there; the stored value is longer than " + strconv.Itoa(maxValue) + " bytes")
	}
	text := value.Raw
	if value.Type == gjson.String {
		text = value.Str
	}
	if !utf8.ValidString(text) {
		return "", errors.New("type the value again; the stored value is not valid UTF-8 text")
	}
	// A copy: a substring would keep all parameters of the execution in memory.
	return strings.Clone(strings.TrimSpace(text)), nil
}

// checkbox reports whether a checkbox is selected. It returns false for a value that it refuses.
func (f *form) checkbox(at field) bool {
	switch value := f.values[at]; value.Type {
	case gjson.True, gjson.False:
		return value.Bool()
	}
	switch strings.ToLower(f.text(at)) {
	case "true":
		return true
	case "false", "":
		return false
	}
	f.refuse(at, "select or clear the checkbox; the stored value is neither true nor false")
	return false
}

// wholeNumber reads a whole number from least to most.
func (f *form) wholeNumber(at field, least, most int) int {
	number, err := strconv.Atoi(f.text(at))
	if err != nil || number < least || number > most {
		f.refuse(at, fmt.Sprintf("put a whole number from %d to %d there", least, most))
		return 0
	}
	return number
}

// oneOf returns the chosen option, spelled as declared, or "" if the value is refused.
func (f *form) oneOf(at field) string {
	chosen := f.text(at)
	for _, option := range parameters[at].Options {
		if strings.EqualFold(option, chosen) {
			return option
		}
	}
	f.refuse(at, "choose one of: "+strings.Join(parameters[at].Options, ", "))
	return ""
}

// severalOf returns the chosen options of a list or a comma-separated text, each once and spelled as declared. If nothing
// is stored it returns the default. An empty list or text is a choice as well: it means no restriction.
func (f *form) severalOf(at field) []string { return f.severalOfAs(at, at) }

// severalOfAs reads choices from the field older, and reports its problems under the label of the field at.
func (f *form) severalOfAs(at, older field) []string {
	items, err := listItems(f.values[older], parameters[older].Default)
	if err != nil {
		f.refuse(at, err.Error())
		return nil
	}
	options := parameters[older].Options
	var chosen []string
	for _, item := range items {
		found := slices.IndexFunc(options, func(option string) bool { return strings.EqualFold(option, item) })
		if found < 0 {
			f.refuse(at, "choose from: "+strings.Join(parameters[at].Options, ", "))
			return nil
		}
		if !slices.Contains(chosen, options[found]) {
			chosen = append(chosen, options[found])
		}
	}
	return chosen
}

// listItems returns the texts of a JSON array, or of a comma-separated text, without empty ones.
func listItems(value gjson.Result, missing string) ([]string, error) {
	text := missing
	var err error
	switch {
	case value.IsArray():
		// No option holds a comma, so both ways of writing a list can be read in the same way.
		text, err = joinArray(value)
	case value.Type != gjson.Null:
		text, err = scalar(value)
	}
	if err != nil {
		return nil, err
	}
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items, nil
}

func joinArray(array gjson.Result) (string, error) {
	if len(array.Raw) > maxValue {
		return "", errors.New("choose fewer values; the stored list is longer than " + strconv.Itoa(maxValue) + " bytes")
	}
	var texts []string
	var failure error
	array.ForEach(func(_, item gjson.Result) bool {
		var text string
		text, failure = scalar(item)
		texts = append(texts, text)
		return failure == nil
	})
	return strings.Join(texts, ","), failure
}

// credentials returns the trimmed parts of a credentials field. A field or part that is missing or null is empty.
func (f *form) credentials(at field) (identifier, password string) {
	value := f.values[at]
	if value.Type == gjson.String && strings.TrimSpace(value.Str) == "" || value.Type == gjson.Null {
		return "", ""
	}
	if !value.IsObject() {
		f.refusePart(at, passwordPart, "type the value again; the stored value is not a credentials value")
		return "", ""
	}
	var parts [2]gjson.Result
	value.ForEach(func(key, item gjson.Result) bool {
		switch key.Str {
		case "identifier":
			parts[firstPart] = item
		case "password":
			parts[passwordPart] = item
		}
		return true
	})
	return f.credentialsPart(at, firstPart, parts[firstPart]), f.credentialsPart(at, passwordPart, parts[passwordPart])
}

func (f *form) credentialsPart(at field, which part, value gjson.Result) string {
	if which == firstPart && parameters[at].HiddenUsername {
		return ""
	}
	text, err := scalar(value)
	if err != nil {
		f.refusePart(at, which, err.Error())
	}
	return text
}

// passwordOr reads the password of a credentials field. While that is empty, the first of the hidden fields that it
// replaced counts that holds something.
func (f *form) passwordOr(at field, older ...field) string {
	_, text := f.credentials(at)
	for _, field := range older {
		if text == "" {
			text = f.olderText(at, passwordPart, field)
		}
	}
	return text
}

// olderText reads a hidden field. Its problems are reported under the label of the visible field that replaced it, which
// is the one that users can change.
func (f *form) olderText(at field, which part, older field) string {
	text, err := scalar(f.values[older])
	if err != nil {
		f.refusePart(at, which, err.Error())
	}
	return text
}
