package params

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxValue bounds one value of the configuration in bytes. The longest sensible one, a private key with the certificates
// of a whole chain, stays far below it.
const maxValue = 64 << 10

// form is the params object of an execution, with what is found wrong in it while it is read.
type form struct {
	values   [fieldCount]gjson.Result
	findings []finding
}

// finding is a Problem before its field has got its display name.
type finding struct {
	field field
	part  part
	fix   string
}

// part tells the two inputs of a credentials field apart.
type part int

const (
	firstPart    part = iota // the whole of any other field
	passwordPart             // what the user types under DisplayPassword
)

// newForm finds the declared fields in a params object. Other keys are ignored; of a repeated one the last counts, as in
// the platform's own reading of JSON.
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

// refuse notes what to put into a field. What was noted first about a field stands: it is the cause of what follows.
func (f *form) refuse(at field, fix string) { f.refusePart(at, firstPart, fix) }

func (f *form) refusePart(at field, which part, fix string) {
	for _, known := range f.findings {
		if known.field == at && known.part == which {
			return
		}
	}
	f.findings = append(f.findings, finding{at, which, fix})
}

// problems gives everything that was refused, in the order of the parameters; nil when nothing was.
func (f *form) problems() error {
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

// text reads a trimmed text; an empty one is the field's default.
func (f *form) text(at field) string {
	text, err := scalar(f.values[at])
	if err != nil {
		f.refuse(at, err.Error())
		return ""
	}
	return cmp.Or(text, parameters[at].Default)
}

// scalar gives the trimmed text of a JSON string or number, "" for null and for what is not there.
func scalar(value gjson.Result) (string, error) {
	switch {
	case value.Type == gjson.Null:
		return "", nil
	case value.Type != gjson.String && value.Type != gjson.Number:
		return "", errors.New("put text there; the value that is stored is of another kind")
	case len(value.Raw) > maxValue:
		return "", errors.New("put a shorter value there; the one that is stored is longer than " + strconv.Itoa(maxValue) + " bytes")
	}
	text := value.Raw
	if value.Type == gjson.String {
		text = value.Str
	}
	if !utf8.ValidString(text) {
		return "", errors.New("type the value again; the one that is stored holds bytes that are no UTF-8 text")
	}
	// A copy, because the text would keep all of the execution's parameters in memory otherwise.
	return strings.Clone(strings.TrimSpace(text)), nil
}

// checkbox reads a checkbox; one that is refused reads as false.
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
	f.refuse(at, "select or clear the checkbox; the value that is stored is neither true nor false")
	return false
}

// oneOf reads a choice, spelled as its option; "" when it is refused.
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

// severalOf reads choices, each once and spelled as its option, from a list or a comma-separated text. Nothing stored
// means the default; an empty list or text is an answer too and means no restriction.
func (f *form) severalOf(at field) []string {
	items, err := listItems(f.values[at], parameters[at].Default)
	if err != nil {
		f.refuse(at, err.Error())
		return nil
	}
	options := parameters[at].Options
	var chosen []string
	for _, item := range items {
		found := slices.IndexFunc(options, func(option string) bool { return strings.EqualFold(option, item) })
		if found < 0 {
			f.refuse(at, "choose among: "+strings.Join(options, ", "))
			return nil
		}
		if !slices.Contains(chosen, options[found]) {
			chosen = append(chosen, options[found])
		}
	}
	return chosen
}

// listItems gives the texts of a JSON array, or of a comma-separated text, without empty ones.
func listItems(value gjson.Result, missing string) ([]string, error) {
	text := missing
	var err error
	switch {
	case value.IsArray():
		// Joined, because no option holds a comma: both ways of writing a list are then the same.
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
		return "", errors.New("choose fewer values; the list that is stored is longer than " + strconv.Itoa(maxValue) + " bytes")
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

// credentials reads a credentials field, trimmed; a field or a part that is absent or null is empty.
func (f *form) credentials(at field) (identifier, password string) {
	value := f.values[at]
	if value.Type == gjson.String && strings.TrimSpace(value.Str) == "" || value.Type == gjson.Null {
		return "", ""
	}
	if !value.IsObject() {
		f.refusePart(at, passwordPart, "type the value again; what is stored is not a credentials value")
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

// textOr reads a field that has an older name, hidden by now; the older one counts only when the newer one is empty.
func (f *form) textOr(at, older field) string {
	if text := f.text(at); text != "" {
		return text
	}
	return f.olderText(at, firstPart, older)
}

// passwordOr reads the password of a credentials field, or the hidden field that is its older form.
func (f *form) passwordOr(at, older field) Secret {
	if _, password := f.credentials(at); password != "" {
		return Secret(password)
	}
	return Secret(f.olderText(at, passwordPart, older))
}

// olderText reads a hidden field. Its problems are told of the visible one that replaces it: only that can be changed.
func (f *form) olderText(at field, which part, older field) string {
	text, err := scalar(f.values[older])
	if err != nil {
		f.refusePart(at, which, err.Error())
	}
	return text
}
