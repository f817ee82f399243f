package defender

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Filter is an OData comparison or a combination of comparisons. The zero Filter matches everything.
type Filter struct {
	text     string
	compound bool
}

// Equal compares a property with a text.
func Equal(property, value string) Filter {
	return Filter{text: property + " eq " + quote(value)}
}

// EqualAny compares a property with several texts, one of which must be equal. Without texts it
// matches everything. The comparisons are spelled out with or, which every list of the service takes,
// unlike in.
func EqualAny(property string, values []string) Filter {
	filters := make([]Filter, len(values))
	for i, value := range values {
		filters[i] = Equal(property, value)
	}
	return Or(filters...)
}

// Condition is a comparison in OData as a user wrote it, which is not checked. An empty one matches everything.
func Condition(text string) Filter { return Filter{text: strings.TrimSpace(text), compound: true} }

// Contains looks for a text inside a property.
func Contains(property, value string) Filter {
	return Filter{text: "contains(" + property + "," + quote(value) + ")"}
}

// StartsWith looks for a text at the beginning of a property, which Microsoft's samples of OData queries do with the
// names of machines.
func StartsWith(property, value string) Filter {
	return Filter{text: "startswith(" + property + "," + quote(value) + ")"}
}

// Number compares a property with a number by one of eq, ne, gt, ge, lt and le.
func Number(property, operator string, value float64) Filter {
	return Filter{text: property + " " + operator + " " + strconv.FormatFloat(value, 'f', -1, 64)}
}

// After matches times later than a time.
func After(property string, at time.Time) Filter { return compareTime(property, "gt", at) }

// Since matches a time and later ones.
func Since(property string, at time.Time) Filter { return compareTime(property, "ge", at) }

// serviceTime keeps the 100 ns to which the service counts time, as far as there are any.
const serviceTime = "2006-01-02T15:04:05.9999999Z"

// Before matches times earlier than a time.
func Before(property string, at time.Time) Filter { return compareTime(property, "lt", at) }

func compareTime(property, operator string, at time.Time) Filter {
	return Filter{text: property + " " + operator + " " + at.UTC().Format(serviceTime)}
}

// And matches items that match all filters.
func And(filters ...Filter) Filter { return combine(" and ", filters) }

// Or matches items that match one of the filters.
func Or(filters ...Filter) Filter { return combine(" or ", filters) }

func combine(word string, filters []Filter) Filter {
	var texts []string
	var last Filter
	for _, filter := range filters {
		if filter.text == "" {
			continue
		}
		last = filter
		if filter.compound {
			filter.text = "(" + filter.text + ")"
		}
		texts = append(texts, filter.text)
	}
	if len(texts) < 2 {
		return last
	}
	return Filter{text: strings.Join(texts, word), compound: true}
}

// String returns the filter as it is sent.
func (f Filter) String() string { return f.text }

// quote returns an OData literal: quotes inside are doubled.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

// Query selects a part of a list.
type Query struct {
	Filter Filter
	// Limit is the maximum number of items; zero leaves the number to the service.
	Limit int
	// Skip is the number of items to skip.
	Skip int
	// FromStart sends $skip even when it is zero.
	FromStart bool
	// Expand adds a related collection to every item, such as "evidence".
	Expand string
	// OrderBy sorts, such as "alertCreationTime".
	OrderBy string
	// Options are further options of an operation, such as pageSize, in the order in which they are sent.
	Options []Option

	top int // page size
}

// keptBy reports whether a next link still has the options that choose the items and their form. Without them it leads to
// other items. A $skiptoken that includes them comes with them in every link of the service.
func (q Query) keptBy(link string) bool {
	target, err := url.Parse(link)
	if err != nil {
		return true // it is not followed anyway
	}
	options := target.Query()
	return (q.Filter.text == "" || options.Get("$filter") != "") && (q.Expand == "" || options.Get("$expand") != "")
}

// Option is an option of a query other than those of OData.
type Option struct{ Name, Value string }

// encodeOption escapes the value of a query option. Quotes and commas, of which long filters have many, may stay as they
// are (RFC 3986, section 3.4).
func encodeOption(value string) string {
	value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	return strings.ReplaceAll(strings.ReplaceAll(value, "%27", "'"), "%2C", ",")
}

// encode writes the query options: spaces as %20, every value escaped once.
func (q Query) encode() string {
	var parts []string
	add := func(name, value string) {
		parts = append(parts, name+"="+encodeOption(value))
	}
	if q.Filter.text != "" {
		add("$filter", q.Filter.text)
	}
	if q.top > 0 {
		add("$top", strconv.Itoa(q.top))
	}
	if q.Skip > 0 || q.FromStart {
		add("$skip", strconv.Itoa(q.Skip))
	}
	if q.Expand != "" {
		add("$expand", q.Expand)
	}
	if q.OrderBy != "" {
		add("$orderby", q.OrderBy)
	}
	for _, option := range q.Options {
		add(option.Name, option.Value)
	}
	return strings.Join(parts, "&")
}
