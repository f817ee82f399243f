package kql

import (
	"fmt"
	"strings"
)

// UnknownPurposeError reports that a family has no query for the purpose asked for.
type UnknownPurposeError struct {
	Family  Family
	Purpose string
}

func (e *UnknownPurposeError) Error() string {
	purposes := e.Family.Purposes()
	if len(purposes) == 0 {
		return fmt.Sprintf("the hunt %s has no purpose %q to choose", e.Family, e.Purpose)
	}
	return fmt.Sprintf("the hunt %s has no query_purpose %q: choose %s", e.Family, e.Purpose, alternatives(purposes))
}

// MissingConditionError reports that a purpose cannot be answered without one of the conditions it names.
type MissingConditionError struct {
	Family  Family
	Purpose string
	AnyOf   []Condition
}

func (e *MissingConditionError) Error() string {
	return fmt.Sprintf("the hunt %s would search the whole tenant: give %s",
		title(e.Family, e.Purpose), alternatives(e.AnyOf))
}

// UnsupportedConditionError reports that the events of a purpose have nothing to compare a condition with.
type UnsupportedConditionError struct {
	Family    Family
	Purpose   string
	Condition Condition
	Supported []Condition
}

func (e *UnsupportedConditionError) Error() string {
	return fmt.Sprintf("the hunt %s cannot be narrowed by %s: leave it out, or use %s",
		title(e.Family, e.Purpose), e.Condition, alternatives(e.Supported))
}

// InvalidValueError reports that the value of an argument cannot be put into a query.
type InvalidValueError struct {
	Argument string
	Value    string
	Want     string // what to give instead
}

func (e *InvalidValueError) Error() string {
	return fmt.Sprintf("%s cannot be %q: give %s", e.Argument, e.Value, e.Want)
}

func title(family Family, purpose string) string {
	if purpose == "" {
		return string(family)
	}
	return string(family) + " " + purpose
}

// alternatives lists names as a sentence does: a, b or c.
func alternatives[Name ~string](names []Name) string {
	var list strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			list.WriteString(" or ")
		case i > 0:
			list.WriteString(", ")
		}
		list.WriteString(string(name))
	}
	return list.String()
}
