package simulator

import (
	"net/http"

	"xsoar-defender/internal/simulator/odata"
)

// collection says what the query options of a list may do. Both are on the page of each operation; see
// https://learn.microsoft.com/defender-endpoint/api/exposed-apis-odata-samples.
type collection struct {
	// name is the entity set in @odata.context.
	name string
	// filterable are the properties that $filter may name; nil is all of them, where nothing is documented.
	filterable []string
	// maxTop is the largest $top, or 0 for the usual 10,000.
	maxTop int
	// graph is set for a list of Microsoft Graph, where $top is the size of a page (https://learn.microsoft.com/graph/paging).
	graph bool
}

func (of collection) limits() odata.Collection {
	return odata.Collection{Filterable: of.filterable, MaxTop: of.maxTop, TopIsPage: of.graph}
}

// defaultPageSize is the number of resources on a page where the documentation states no smaller one.
const defaultPageSize = 10_000

// page is the answer to a list operation.
type page struct {
	Context  string `json:"@odata.context"`
	Count    *int   `json:"@odata.count,omitempty"`
	Value    []any  `json:"value"`
	NextLink string `json:"@odata.nextLink,omitempty"`
}

// list answers with the rows that the query options ask for.
func list[T any](c *company, call *call, rows []T, of collection) (reply, *apiError) {
	return listPaged(c, call, rows, of, defaultPageSize)
}

// page returns the size of a page: the documented one, unless a test wants a smaller one.
func (c *company) page(documented int) int {
	if c.pageSize == 0 {
		return documented
	}
	return min(documented, c.pageSize)
}

// listPaged is list with a page size of its own.
func listPaged[T any](c *company, call *call, rows []T, of collection, pageSize int) (reply, *apiError) {
	found, err := odata.List(call.query, rows, of.limits(), c.page(pageSize))
	if err != nil {
		return reply{}, badRequest("The query specified in the URI is not valid: %v.", err)
	}
	answer := page{Context: c.context(of.name), Count: found.Count, Value: found.Items}
	if of.graph {
		answer.Context = c.graphContext(of.name)
	}
	if found.Next != nil {
		answer.NextLink = c.base + call.path + "?" + found.Next.Encode()
	}
	return reply{http.StatusOK, answer}, nil
}

// countOf answers with the bare number of the rows that $filter leaves.
func countOf[T any](call *call, rows []*T, of collection) (reply, *apiError) {
	count, err := odata.Count(call.query, rows, of.limits())
	if err != nil {
		return reply{}, badRequest("The query specified in the URI is not valid: %v.", err)
	}
	return reply{http.StatusOK, count}, nil
}

// record is a JSON object whose properties keep their order.
type record []property

type property struct {
	name  string
	value any
}

func (r record) MarshalJSON() ([]byte, error) {
	return odata.Object(func(yield func(string, any) bool) {
		for _, p := range r {
			if !yield(p.name, p.value) {
				return
			}
		}
	})
}

// context returns the @odata.context of an entity set.
func (c *company) context(set string) string { return c.base + "/api/$metadata#" + set }
