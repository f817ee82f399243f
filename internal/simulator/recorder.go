package simulator

import (
	"encoding/json"
	"slices"
	"strings"
)

// Case returns what the API was asked since the last reset, with the answers, in the form of a conformance case: a route for each
// request in api, and what must be asked in expect. What the case is of, its command and its entries, is for its author to fill in.
func (t *Tenant) Case(name string) map[string]any {
	type route struct {
		Method    string           `json:"method"`
		Path      string           `json:"path"`
		Responses []map[string]any `json:"responses"`
	}
	api, asked := []*route{}, []map[string]any{}
	for _, r := range t.Requests() {
		if r.Kind != KindAPI && r.Kind != KindGraph && r.Kind != KindDownload {
			continue
		}
		one := map[string]any{"method": r.Method, "path": r.Path}
		if len(r.Query) > 0 {
			query := map[string]string{}
			for option, values := range r.Query {
				query[option] = strings.Join(values, ",")
			}
			one["query"] = query
		}
		var body any
		if json.Unmarshal(r.Body, &body) == nil {
			one["body"] = body
		}
		asked = append(asked, one)
		i := slices.IndexFunc(api, func(known *route) bool { return known.Method == r.Method && known.Path == r.Path })
		if i < 0 {
			i, api = len(api), append(api, &route{r.Method, r.Path, nil})
		}
		response := map[string]any{"status": r.Status}
		var answer any
		if json.Unmarshal(r.Answer, &answer) == nil {
			response["json"] = answer
		} else if len(r.Answer) > 0 {
			response["raw_b64"] = r.Answer
		}
		api[i].Responses = append(api[i].Responses, response)
	}
	return map[string]any{"name": name, "command": "", "args": map[string]any{}, "api": api, "expect": map[string]any{"requests": asked}}
}
