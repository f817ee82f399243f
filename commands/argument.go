package commands

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// Argument describes one argument of a command, read off a field of its argument struct:
//
//	Machines []string `arg:"machine_id" required:"true" help:"The ids of the machines."`
//
// Tags: arg (the name), help, required, default, values (accepted texts, separated by commas, compared without
// case and bound as spelled here), min and max (of numbers), hidden, deprecated ("refused" where giving it is an error),
// list (false where the manifest does not declare a list as one), holds (what completion offers, where the name does not
// imply it). The type of the field decides how a value is read: text, []string (a list: CSV, JSON or a list), int, float64, bool, pointers to these for
// "not given", time.Duration ("3 days"), Moment (a date, or a duration back from now), []rawjson.Value (JSON).
type Argument struct {
	Name, Help, Default string
	Values              []string
	Required, List      bool
	Hidden, Deprecated  bool
	// Refused reports whether the command refuses to run when the argument is given.
	Refused bool
	// IsMoment reports whether the argument is a point in time.
	IsMoment bool
	// Holds names the objects of the tenant that the values identify, or is empty if completion has none to offer.
	Holds Held
	// Many reports whether the argument accepts several values, whether or not the manifest declares a list.
	Many bool

	field    []int // nil if no field is bound
	kind     reflect.Type
	min, max float64
}

// Held is a kind of object of the tenant that an argument names.
type Held string

// The kinds of objects that completion offers for an argument.
const (
	MachineIDs   Held = "machine IDs"
	MachineNames Held = "machine names"
)

// heldBy returns the kind of object that an argument of this name holds in every command.
func heldBy(name string) Held {
	switch name {
	case "machine_id", "device_id":
		return MachineIDs
	case "hostname", "device_name":
		return MachineNames
	}
	return ""
}

// Moment is a point in time, given as a date or as a duration back from now. The zero Moment means not given.
type Moment struct{ time.Time }

// borderTime is how far within the border of what the service accepts a time is moved that has just passed it: more than a
// request needs on its way.
const borderTime = time.Minute

// withinReach reports whether a time is at most as far back as the service accepts. A span of the whole length has passed the
// border once time has gone by since it was read, and even more so in a run for what an earlier one left. Such a time is moved
// within the border. What was beyond it when the first run began, at most limit before the command stops, stays as it is.
func (m *Moment) withinReach(run *Run, longest, limit time.Duration) bool {
	began, border := run.Now(), run.Now().Add(-longest)
	if !run.until.IsZero() {
		began = run.until.Add(-limit)
	}
	if m.Before(began.Add(-longest - borderTime)) {
		return false
	}
	if m.Before(border) {
		m.Time = border.Add(borderTime)
	}
	return true
}

// ArgumentError reports every problem with the arguments of a command at once.
type ArgumentError struct {
	Command  string
	Problems []string
}

func (e *ArgumentError) Error() string {
	return "Invalid arguments for " + e.Command + ": " + strings.Join(e.Problems, "; ") + "."
}

// wrong returns the error for one problem that a handler found with its arguments.
func wrong(run *Run, format string, values ...any) error {
	return &ArgumentError{Command: run.command.Name, Problems: []string{fmt.Sprintf(format, values...)}}
}

// noArguments is the argument struct of commands that have no arguments and never schedule themselves.
type noArguments struct{}

func argumentsOf(shape reflect.Type, platform bool) []Argument {
	arguments := fieldsOf(shape, nil)
	if !platform && shape != reflect.TypeFor[noArguments]() {
		arguments = append(arguments, ownArguments()...)
	}
	return arguments
}

// fieldsOf reads the arguments from a struct. An embedded struct holds arguments that several commands share.
func fieldsOf(shape reflect.Type, path []int) []Argument {
	var arguments []Argument
	for i := range shape.NumField() {
		field, place := shape.Field(i), append(slices.Clone(path), i)
		if field.Anonymous {
			arguments = append(arguments, fieldsOf(field.Type, place)...)
			continue
		}
		arguments = append(arguments, argumentOf(place, field))
	}
	return arguments
}

func argumentOf(place []int, field reflect.StructField) Argument {
	tag := field.Tag
	argument := Argument{
		Name: tag.Get("arg"), Help: tag.Get("help"), Default: tag.Get("default"),
		Required: tag.Get("required") == "true", Hidden: tag.Get("hidden") == "true",
		Deprecated: tag.Get("deprecated") != "", Refused: tag.Get("deprecated") == "refused",
		List: field.Type == reflect.TypeFor[[]string]() && tag.Get("list") != "false", IsMoment: field.Type == reflect.TypeFor[Moment](),
		Holds: cmp.Or(Held(tag.Get("holds")), heldBy(tag.Get("arg"))), Many: field.Type == reflect.TypeFor[[]string](),
		field: place, kind: field.Type, min: math.Inf(-1), max: math.Inf(1),
	}
	if values := tag.Get("values"); values != "" {
		argument.Values = strings.Split(values, ",")
	}
	bound := func(name string, into *float64) {
		if text := tag.Get(name); text != "" {
			limit, err := strconv.ParseFloat(text, 64)
			if err != nil {
				panic("commands: " + argument.Name + ": " + name + " is not a number")
			}
			*into = limit
		}
	}
	bound("min", &argument.min)
	bound("max", &argument.max)
	return argument
}

// bind reads the arguments of an execution into target, a struct. Unknown arguments are ignored: the platform checks
// names against the manifest, and adds some of its own. It is not generic, because an instance for each argument struct
// made the program 0.2 MB larger.
func bind(target reflect.Value, command string, arguments []Argument, raw map[string]json.RawMessage, now time.Time) error {
	var problems []string
	for _, argument := range arguments {
		if argument.field == nil {
			continue
		}
		given := gjson.Parse(string(raw[argument.Name]))
		if absent(given) {
			if argument.Required && argument.Default == "" {
				problems = append(problems, argument.Name+" is missing")
			}
			if argument.Default == "" {
				continue
			}
			given = gjson.Result{Type: gjson.String, Str: argument.Default}
		}
		if err := argument.set(target.FieldByIndex(argument.field), given, now); err != nil {
			problems = append(problems, argument.Name+" "+err.Error())
		}
	}
	if problems != nil {
		return &ArgumentError{Command: command, Problems: problems}
	}
	return nil
}

// Check returns the problem with a value of the argument, as part of a sentence about it, or nil. Rules that involve
// other arguments are not checked.
func (a Argument) Check(value string) error {
	given := gjson.Result{Type: gjson.String, Str: value}
	if a.kind == nil || absent(given) {
		return nil
	}
	return a.set(reflect.New(a.kind).Elem(), given, time.Time{})
}

// absent reports whether no value was given: the platform passes an empty string for a field that was left empty, and
// automations an empty list, or one of nothing but nulls, for what they did not find.
func absent(given gjson.Result) bool {
	if given.IsArray() {
		return len(listOf(given)) == 0
	}
	return !given.Exists() || given.Type == gjson.Null || (given.Type == gjson.String && strings.TrimSpace(given.Str) == "")
}

func (a Argument) set(target reflect.Value, given gjson.Result, now time.Time) error {
	switch into := target.Addr().Interface().(type) {
	case *string:
		text, err := a.accepted(textOf(given))
		*into = text
		return err
	case *[]string:
		return a.setList(into, given)
	case *[]rawjson.Value:
		return setObjects(into, given)
	case **time.Duration:
		*into = new(time.Duration)
		return a.set(reflect.ValueOf(*into).Elem(), given, now)
	case *time.Duration:
		duration, err := params.ParseDuration(textOf(given))
		*into = duration
		if err != nil {
			return fmt.Errorf(`must be a time span such as "3 days" or "12 hours"`)
		}
		if duration == 0 { // for a handler the same as no span at all
			return fmt.Errorf("must be longer than 0")
		}
		return nil
	case *Moment:
		return setMoment(into, textOf(given), now)
	}
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	if target.Kind() == reflect.Bool {
		yes, err := parseBoolean(textOf(given))
		target.SetBool(yes)
		return err
	}
	return a.setNumber(target, textOf(given))
}

func textOf(given gjson.Result) string {
	if given.Type == gjson.String {
		return strings.TrimSpace(given.Str)
	}
	if given.IsArray() {
		return strings.Join(listOf(given), ",")
	}
	return given.Raw
}

func (a Argument) accepted(text string) (string, error) {
	if a.Values == nil {
		return text, nil
	}
	at := slices.IndexFunc(a.Values, func(value string) bool { return strings.EqualFold(value, text) })
	if at < 0 {
		return "", fmt.Errorf("must be one of %s; got %q", strings.Join(a.Values, ", "), text)
	}
	return a.Values[at], nil
}

func (a Argument) setList(into *[]string, given gjson.Result) error {
	for _, item := range listOf(given) {
		item, err := a.accepted(item)
		if err != nil {
			return err
		}
		if !slices.Contains(*into, item) {
			*into = append(*into, item)
		}
	}
	if a.Required && len(*into) == 0 {
		return fmt.Errorf("is missing")
	}
	return nil
}

// listOf reads a list given as a list, as JSON text or separated by commas, with or without quotes. Empty items are dropped.
func listOf(given gjson.Result) []string {
	if given.Type == gjson.String {
		text := strings.TrimSpace(given.Str)
		if strings.HasPrefix(text, "[") && gjson.Valid(text) {
			return listOf(gjson.Parse(text))
		}
		return trimmed(separated(text))
	}
	if !given.IsArray() {
		return trimmed([]string{given.Raw})
	}
	var items []string
	for _, item := range given.Array() {
		items = append(items, item.String())
	}
	return trimmed(items)
}

// separated splits a text at its commas, except for those of an item in double quotes, which loses its quotes.
func separated(text string) []string {
	var items []string
	for more := true; more; {
		item, rest := "", strings.TrimSpace(text)
		if quoted, behind, closed := strings.Cut(strings.TrimPrefix(rest, `"`), `"`); closed && strings.HasPrefix(rest, `"`) {
			if behind = strings.TrimSpace(behind); behind == "" || behind[0] == ',' {
				item, rest = quoted, behind
			}
		}
		unquoted, behind, further := strings.Cut(rest, ",")
		items = append(items, item+unquoted)
		text, more = behind, further
	}
	return items
}

func trimmed(items []string) []string {
	var kept []string
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			kept = append(kept, item)
		}
	}
	return kept
}

func setObjects(into *[]rawjson.Value, given gjson.Result) error {
	text := given.Raw
	if given.Type == gjson.String {
		text = given.Str
	}
	whole, err := rawjson.Parse(text)
	if err == nil && gjson.Parse(text).IsObject() {
		whole = "[" + whole + "]"
	}
	*into = whole.Items("")
	for _, item := range *into {
		if !gjson.Parse(string(item)).IsObject() {
			*into = nil
		}
	}
	if err != nil || *into == nil {
		return fmt.Errorf("must be a JSON list of objects")
	}
	return nil
}

// momentLayouts returns the layouts in which a date may be given, among them those of our own tables and of the automations
// of the platform. A date without a time zone is in UTC.
func momentLayouts() []string {
	return []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
		"2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700",
	}
}

// unixTime reads a time as automations count it: in seconds, or in milliseconds, since 1970.
func unixTime(text string) (at time.Time, ok bool) {
	const seconds, milliseconds = 10, 13 // digits of a time between the years 2001 and 2286
	count, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || count < 0:
		return time.Time{}, false
	case len(text) == seconds:
		return time.Unix(count, 0).UTC(), true
	case len(text) == milliseconds:
		return time.UnixMilli(count).UTC(), true
	}
	return time.Time{}, false
}

func setMoment(into *Moment, text string, now time.Time) error {
	for _, layout := range momentLayouts() {
		if at, err := time.Parse(layout, text); err == nil && writable(at.UTC()) {
			into.Time = at.UTC()
			return nil
		}
	}
	if at, ok := unixTime(text); ok {
		into.Time = at
		return nil
	}
	back, err := params.ParseDuration(strings.TrimSuffix(strings.TrimSpace(strings.ToLower(text)), " ago"))
	if err != nil {
		return fmt.Errorf(`must be a date such as 2026-11-20T10:15:00Z or a time span such as "3 days"; got %q`, text)
	}
	into.Time = now.UTC().Add(-back)
	return nil
}

// writable reports whether RFC 3339, which has four digits for the year, can express a time in UTC. An offset can lead
// beyond that.
func writable(at time.Time) bool {
	const last = 9999
	return 0 <= at.Year() && at.Year() <= last
}

// parseBoolean takes every word that integrations of the platform take, and so the deployed one.
func parseBoolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "1", "t", "y", "on":
		return true, nil
	case "false", "no", "0", "f", "n", "off":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false; got %q", text)
}

func (a Argument) setNumber(target reflect.Value, text string) error {
	number, err := strconv.ParseFloat(text, 64)
	whole := target.CanInt()
	if err != nil || math.IsNaN(number) || (whole && number != math.Trunc(number)) || math.Abs(number) > 1<<53 {
		return fmt.Errorf("must be a number; got %q", text)
	}
	if number < a.min {
		return fmt.Errorf("must be %s or more", strconv.FormatFloat(a.min, 'f', -1, 64))
	}
	if number > a.max {
		return fmt.Errorf("must be %s or less", strconv.FormatFloat(a.max, 'f', -1, 64))
	}
	if whole {
		target.SetInt(int64(number))
		return nil
	}
	target.SetFloat(number)
	return nil
}
