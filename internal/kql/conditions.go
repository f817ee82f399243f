package kql

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Condition names a kind of condition by the argument of the commands that sets it.
type Condition string

// The conditions that narrow a hunt.
const (
	DeviceName     Condition = "device_name"
	DeviceID       Condition = "device_id"
	FileName       Condition = "file_name"
	SHA1           Condition = "sha1"
	SHA256         Condition = "sha256"
	MD5            Condition = "md5"
	Username       Condition = "username"
	ProcessCommand Condition = "process_cmd"
	RemoteIPCount  Condition = "remote_ip_count"
)

var allConditions = []Condition{
	DeviceName, DeviceID, FileName, SHA1, SHA256, MD5, Username, ProcessCommand, RemoteIPCount,
}

// The bounds of a page. A hunting query returns at most 100,000 rows
// (https://learn.microsoft.com/defender-endpoint/api/run-advanced-query-api).
const (
	MaxLimit = 100_000
	MaxPage  = 100_000
)

// Conditions narrow a hunt. Values match whatever their case; the values of one kind are alternatives.
type Conditions struct {
	// DeviceNames are short names or fully qualified ones. A short name matches the device in whatever domain.
	DeviceNames []string
	DeviceIDs   []string
	// FileNames are names without a folder.
	FileNames []string
	SHA1      []string
	SHA256    []string
	MD5       []string
	// Usernames are account names, DOMAIN\name, or user principal names where the searched table has those.
	Usernames []string
	// ProcessCommands are parts of a command line.
	ProcessCommands []string

	// RemoteIPCount is a number of distinct remote addresses that must be exceeded, or nil. It applies whatever And is.
	RemoteIPCount *int

	// And demands all kinds of condition at once; otherwise one of them is enough.
	And bool

	// Limit is the number of rows of a page, from 1 to MaxLimit.
	Limit int
	// Page is the page wanted, from 1 to MaxPage. Events that arrive between two pages move the rows.
	Page int

	// TimeRange is how far to look back, in whole milliseconds; 0 is as far as the service keeps events. Microsoft
	// documents 30 days.
	TimeRange time.Duration
}

// A kind of condition: which values were given and which alternatives they make over the columns they are looked up in.
type kind struct {
	condition Condition
	values    func(Conditions) []string
	match     func(columns, values []string) ([]string, error)
}

// kinds are the conditions that compare columns with values.
var kinds = []kind{
	{DeviceName, func(c Conditions) []string { return c.DeviceNames }, matchDevice},
	{DeviceID, func(c Conditions) []string { return c.DeviceIDs }, matchEqual},
	{FileName, func(c Conditions) []string { return c.FileNames }, matchFile},
	{SHA1, func(c Conditions) []string { return c.SHA1 }, matchEqual},
	{SHA256, func(c Conditions) []string { return c.SHA256 }, matchEqual},
	{MD5, func(c Conditions) []string { return c.MD5 }, matchEqual},
	{Username, func(c Conditions) []string { return c.Usernames }, matchAccount},
	{ProcessCommand, func(c Conditions) []string { return c.ProcessCommands }, matchText},
}

// given returns the conditions that have a value.
func (c Conditions) given() []Condition {
	var given []Condition
	for _, kind := range kinds {
		if len(kind.values(c)) > 0 {
			given = append(given, kind.condition)
		}
	}
	if c.RemoteIPCount != nil {
		given = append(given, RemoteIPCount)
	}
	return given
}

// validate says which value could not be put into any query.
func (c Conditions) validate() error {
	for _, kind := range kinds {
		for _, value := range kind.values(c) {
			if value == "" || !utf8.ValidString(value) {
				return &InvalidValueError{Argument: string(kind.condition), Value: value, Want: "a text in UTF-8 that is not empty"}
			}
		}
	}
	switch {
	case c.RemoteIPCount != nil && *c.RemoteIPCount < 0:
		return &InvalidValueError{
			Argument: string(RemoteIPCount), Value: strconv.Itoa(*c.RemoteIPCount), Want: "a number that is not negative",
		}
	case c.Limit < 1 || c.Limit > MaxLimit:
		return &InvalidValueError{
			Argument: "limit", Value: strconv.Itoa(c.Limit), Want: fmt.Sprintf("a number from 1 to %d", MaxLimit),
		}
	case c.Page < 1 || c.Page > MaxPage:
		return &InvalidValueError{
			Argument: "page", Value: strconv.Itoa(c.Page), Want: fmt.Sprintf("a number from 1 to %d", MaxPage),
		}
	case c.TimeRange < 0 || c.TimeRange%time.Millisecond != 0:
		return &InvalidValueError{
			Argument: "time_range", Value: c.TimeRange.String(), Want: "a span of whole milliseconds that is not negative",
		}
	}
	return nil
}

func matchEqual(columns, values []string) ([]string, error) {
	alternatives := make([]string, 0, len(columns))
	for _, column := range columns {
		alternatives = append(alternatives, column+" in~ ("+literals(values)+")")
	}
	return alternatives, nil
}

// matchDevice lets a short name stand for the fully qualified one, which is what the schema has for a joined device.
func matchDevice(columns, values []string) ([]string, error) {
	var alternatives []string
	for _, column := range columns {
		alternatives = append(alternatives, column+" in~ ("+literals(values)+")")
		for _, value := range values {
			alternatives = append(alternatives, column+" startswith "+literal(value+"."))
		}
	}
	return alternatives, nil
}

// matchFile looks for a file's name as a column's whole value, or as a word of a command line.
func matchFile(columns, values []string) ([]string, error) {
	alternatives := make([]string, 0, len(columns))
	for _, column := range columns {
		operator := " in~ ("
		if strings.HasSuffix(column, "CommandLine") {
			operator = " has_any ("
		}
		alternatives = append(alternatives, column+operator+literals(values)+")")
	}
	return alternatives, nil
}

func matchText(columns, values []string) ([]string, error) {
	var alternatives []string
	for _, column := range columns {
		for _, value := range values {
			alternatives = append(alternatives, column+" contains "+literal(value))
		}
	}
	return alternatives, nil
}

// matchAccount compares DOMAIN\name with the two columns of an account, anything else with its name and, where the
// query has such a column, its user principal name.
func matchAccount(columns, values []string) ([]string, error) {
	var alternatives []string
	for _, value := range values {
		matches, err := matchOneAccount(columns, value)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, matches...)
	}
	return alternatives, nil
}

func matchOneAccount(columns []string, value string) ([]string, error) {
	domain, name, qualified := strings.Cut(value, `\`)
	if qualified && (domain == "" || name == "") {
		return nil, &InvalidValueError{Argument: string(Username), Value: value, Want: `a name, or a domain and a name as DOMAIN\name`}
	}
	principal := !qualified && strings.Contains(value, "@")
	var alternatives []string
	for _, column := range columns {
		owner, isName := strings.CutSuffix(column, "AccountName")
		switch {
		case isName && qualified:
			alternatives = append(alternatives,
				"("+owner+"AccountDomain =~ "+literal(domain)+" and "+column+" =~ "+literal(name)+")")
		case isName && !principal, !isName && principal:
			alternatives = append(alternatives, column+" =~ "+literal(value))
		}
	}
	if len(alternatives) == 0 {
		return nil, &InvalidValueError{
			Argument: string(Username), Value: value,
			Want: "an account name, as the events searched have no user principal names",
		}
	}
	return alternatives, nil
}
