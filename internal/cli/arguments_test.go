package cli

import (
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/internal/rawjson"
)

// TestAnUnknownNameIsMetWithTheKnownOnes names what looks alike, or all that there are if they are few.
func TestAnUnknownNameIsMetWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	many := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike")
	for _, test := range []struct {
		name  string
		known []string
		want  string
	}{
		{"bravp", many, "; did you mean bravo?"},
		{"zzzzzzzz", many, ""},
		{"zzzzzzzz", many[:few], "; it has " + strings.Join(many[:few], ", ")},
		{"zzzzzzzz", many[:few+1], ""},
		{"zzzzzzzz", nil, "; it has none"},
	} {
		if got := didYouMean(test.name, test.known); got != test.want {
			t.Errorf("%s among %q: got %q, want %q", test.name, test.known, got, test.want)
		}
	}
}

// TestOfferedMachines looks at the lines of the completion: the value that is typed, and what tells machines apart.
func TestOfferedMachines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		held          commands.Held
		machine, want string
	}{
		{commands.MachineIDs, `{"id":"m1","computerDnsName":"ws-1","osPlatform":"Windows11","healthStatus":"Active"}`, "m1\tws-1, Windows11, Active"},
		{commands.MachineIDs, `{"id":"m1","osPlatform":"Windows 11\nx"}`, "m1\tWindows 11 x"},
		{commands.MachineNames, `{"id":"m1","computerDnsName":"ws-1","healthStatus":"Active"}`, "ws-1\tActive"},
		{commands.MachineNames, `{"id":"m1"}`, ""},
		{commands.MachineNames, `{"computerDnsName":"ws 1"}`, ""},
		{commands.MachineNames, `{"computerDnsName":"ws\u202e1"}`, ""},
	} {
		if got := completeMachine(test.held, rawjson.Value(test.machine)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.machine, got, test.want)
		}
	}
}
