package commands

import (
	"net/http"
	"strings"
	"testing"

	"xsoar-defender/warroom"
)

// rowsOf returns the number of objects in the contexts of a report.
func rowsOf(done Report) int {
	rows := 0
	for _, entry := range done.Entries {
		for _, context := range entry.Context {
			if records, ok := context.Value.(warroom.Records); ok {
				rows += len(records.Rows)
			}
		}
	}
	return rows
}

// TestDetailsOfManyMachinesTakeFewRequests asks on their own only for the machines that the list does not have.
func TestDetailsOfManyMachinesTakeFewRequests(t *testing.T) {
	s := newService()
	ids := numbered("%040x", 300)
	s.known = func(id string) bool { return id != ids[7] && id != ids[299] }
	done, err := execute(t.Context(), getMachineDetails(), s, s.clock, map[string]any{"machine_id": strings.Join(ids, ",")})
	if err != nil {
		t.Fatal(err)
	}
	if lists, single := s.count("GET /api/machines")-s.count("GET /api/machines/"), s.count("GET /api/machines/"); lists > 8 || single != 2 {
		t.Errorf("got %d requests for lists and %d for single machines, want at most 8 and 2", lists, single)
	}
	if got := rowsOf(done); got != 300 {
		t.Errorf("got %d machines, want 300", got)
	}
}

// TestAServiceThatRefusesToFilter asks for fewer objects at once, and at last for each, as the service accepts it.
func TestAServiceThatRefusesToFilter(t *testing.T) {
	for _, test := range []struct {
		name    string
		accepts func(filter string) bool
		most    int
	}{
		{"no in", func(filter string) bool { return !strings.Contains(filter, " in (") }, 16},
		{"no filter by id", func(string) bool { return false }, 304},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newService()
			s.refuse = func(request *http.Request) (int, string) {
				if filter := request.URL.Query().Get("$filter"); filter != "" && !test.accepts(filter) {
					return http.StatusBadRequest, `{"error":{"code":"ODataError","message":"The node count limit of '100' has been exceeded."}}`
				}
				return 0, ""
			}
			done, err := execute(t.Context(), getAlertByID(), s, s.clock, map[string]any{"alert_ids": strings.Join(numbered("da%06d", 80), ",")})
			if err != nil {
				t.Fatal(err)
			}
			if got := rowsOf(done); got != 80 {
				t.Errorf("got %d alerts, want 80", got)
			}
			if got := s.count(""); got > test.most {
				t.Errorf("got %d requests, want at most %d", got, test.most)
			}
		})
	}
}

func TestEndpointsOfManyNames(t *testing.T) {
	s := newService()
	done, err := execute(t.Context(), findEndpoints(), s, s.clock, map[string]any{"hostname": strings.Join(numbered("ws-%04d.contoso.example", 500), ",")})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.count(""); got > 12 {
		t.Errorf("got %d requests, want at most 12", got)
	}
	if len(done.Entries) != 500 {
		t.Errorf("got %d entries, want one for each of 500 machines", len(done.Entries))
	}
}
