package defender

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"xsoar-defender/internal/rawjson"
)

// The limits of one filter that compares with many values. The documentation of the API states none. Services that are
// built on ASP.NET Core OData refuse a filter of more than 100 nodes, of which "or" makes four for each value and "in"
// one, and web servers refuse addresses that are longer than 2,048 characters as well as query strings of that length.
//
//   - https://learn.microsoft.com/dotnet/api/microsoft.aspnetcore.odata.query.validator.odatavalidationsettings.maxnodecount
//   - https://learn.microsoft.com/iis/configuration/system.webserver/security/requestfiltering/requestlimits/
const (
	// mostWithOr is the number of values up to which comparisons are joined with "or", the form that every list of the
	// service accepts.
	mostWithOr = 20
	// mostWithIn is the number of values up to which a single "in" is used.
	mostWithIn = 80
	// longestFilter is the maximum length of a filter as it is sent, in characters. It leaves room for the longest
	// address of a list and its other options.
	longestFilter = 1920
)

// AnyOf is a property that must be equal to one of several values.
type AnyOf struct {
	Property string
	Values   []string
}

// SplitIDs divides ids into parts that each fit in one request for a list.
func SplitIDs(ids []string) [][]string {
	var parts [][]string
	for _, part := range pack([]AnyOf{{"id", ids}}, mostWithIn) {
		parts = append(parts, part[0].Values)
	}
	return parts
}

// pack divides values among filters that together let through what has any of them, each within the limits of the
// service and with at most a number of values. There are as few as possible: one for up to 20 values, and for machine IDs
// one for each 43. Values that are given twice are sent once. Without values there are no filters.
func pack(alternatives []AnyOf, most int) [][]AnyOf {
	var parts [][]AnyOf
	count, length := 0, longestFilter
	for _, one := range alternatives {
		named := false
		for i, value := range one.Values {
			if slices.Contains(one.Values[:i], value) {
				continue
			}
			quoted, name := len(encodeOption(quote(value)))+len(","), len(encodeOption(" or "+one.Property+" in ()"))
			added := quoted
			if !named {
				added += name
			}
			if count == most || length+added > longestFilter {
				parts, count, length, named, added = append(parts, nil), 0, 0, false, quoted+name
			}
			last := &parts[len(parts)-1]
			if !named {
				*last, named = append(*last, AnyOf{Property: one.Property}), true
			}
			values := &(*last)[len(*last)-1].Values
			*values = append(*values, value)
			count, length = count+1, length+added
		}
	}
	return parts
}

// anyFilter joins the properties of one filter. Few values are compared with "or".
func anyFilter(alternatives []AnyOf) Filter {
	count := 0
	for _, one := range alternatives {
		count += len(one.Values)
	}
	parts := make([]Filter, len(alternatives))
	for i, one := range alternatives {
		if parts[i] = EqualAny(one.Property, one.Values); count > mostWithOr || count > 1 && orLength(alternatives) > longestFilter {
			parts[i] = in(one.Property, one.Values)
		}
	}
	return Or(parts...)
}

func orLength(alternatives []AnyOf) int {
	length := 0
	for _, one := range alternatives {
		length += len(encodeOption(EqualAny(one.Property, one.Values).text)) + len(encodeOption(" or ()"))
	}
	return length
}

// in compares a property with several texts, one of which must be equal.
func in(property string, values []string) Filter {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = quote(value)
	}
	return Filter{text: property + " in (" + strings.Join(quoted, ",") + ")"}
}

// FormRefused reports whether the service refused the form of a request, such as a filter that is too large for it. It is
// then of use to ask for less at once.
func FormRefused(err error) bool {
	switch StatusOf(err) {
	case http.StatusBadRequest, http.StatusRequestURITooLong, http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented:
		return true
	}
	return false
}

// withAny lists what has any of the values of any of the properties, each object once. If the service refuses the first
// filter, filters with fewer values are tried.
func (c *Client) withAny(ctx context.Context, operation Operation, query Query, alternatives ...AnyOf) (List, error) {
	var all List
	var err error
	values := len(pack(alternatives, 1))
	for _, most := range []int{mostWithIn, mostWithOr, 1} {
		all, err = c.withFilters(ctx, operation, query, pack(alternatives, most))
		if !FormRefused(err) || values <= mostWithOr {
			break
		}
	}
	return all, err
}

func (c *Client) withFilters(ctx context.Context, operation Operation, query Query, parts [][]AnyOf) (List, error) {
	var all List
	seen := map[string]bool{}
	for _, part := range parts {
		query.Filter = anyFilter(part)
		list, err := c.emptyWhenMissing(c.list(ctx, operation, query))
		if err != nil {
			return List{}, err
		}
		if len(parts) == 1 {
			return list, nil
		}
		all.More = all.More || list.More
		for _, item := range list.Items {
			if id := item.Text("id"); !seen[id] {
				seen[id] = true
				all.Items = append(all.Items, item)
			}
		}
	}
	return all, nil
}

// listed reads those objects of a list that have one of the ids, which must fit in one request (see SplitIDs), and returns
// them by their ids in lower case.
func (c *Client) listed(ctx context.Context, operation Operation, ids []string, expand string) (map[string]rawjson.Value, error) {
	found := make(map[string]rawjson.Value, len(ids))
	query := Query{Limit: len(ids), Expand: expand}
	for _, most := range []int{mostWithIn, mostWithOr} {
		list, err := c.withFilters(ctx, operation, query, pack([]AnyOf{{"id", ids}}, most))
		if FormRefused(err) && most > mostWithOr && len(ids) > mostWithOr {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			found[strings.ToLower(item.Text("id"))] = item
		}
		break
	}
	return found, nil
}
