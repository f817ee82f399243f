package execution_test

import (
	"slices"
	"strings"
	"testing"

	"xsoar-defender/execution"
)

// TestMachinesAreFoundByTheBeginningOfTheirNameOrID finds what the completion of the command line offers.
func TestMachinesAreFoundByTheBeginningOfTheirNameOrID(t *testing.T) {
	w := newWorld(t)
	request := execution.Request{Params: encode(t, w.tenant.Instance("client-secret")), Instance: "instance"}
	find := func(beginning string) (ids, names []string) {
		found, err := w.Machines(t.Context(), request, w.host(), beginning)
		if err != nil {
			t.Fatalf("%q: %v", beginning, err)
		}
		for _, machine := range found.Items {
			ids, names = append(ids, machine.Text("id")), append(names, machine.Text("computerDnsName"))
		}
		return ids, names
	}
	all, names := find("")
	if len(all) < 20 || len(all) != len(w.tenant.MachineIDs()) {
		t.Fatalf("got %d machines, want all %d", len(all), len(w.tenant.MachineIDs()))
	}
	if got, _ := find(all[3][:8]); !slices.Equal(got, all[3:4]) {
		t.Errorf("got %q by the beginning of an ID, want %q", got, all[3])
	}
	for _, beginning := range []string{names[5], strings.ToUpper(names[5]), names[5][:4]} {
		_, got := find(beginning)
		others := slices.ContainsFunc(got, func(name string) bool { return !strings.HasPrefix(name, strings.ToLower(beginning)) })
		if !slices.Contains(got, names[5]) || others {
			t.Errorf("got %q by %s, want the machines whose names begin so", got, beginning)
		}
	}
	if got, _ := find("no-such-machine"); len(got) > 0 {
		t.Errorf("got %q, want none", got)
	}
	if got, _ := find("ffffffff"); len(got) > 0 {
		t.Errorf("got %q by the beginning of an ID that no machine has, want none", got)
	}
	request.Params = encode(t, map[string]any{})
	if _, err := w.Machines(t.Context(), request, w.host(), ""); err == nil {
		t.Error("got no error for an instance without parameters")
	}
}
