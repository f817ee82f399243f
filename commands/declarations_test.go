package commands

import (
	"slices"
	"testing"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
)

// TestACommandForOneMachineShowsOneAction compares the arguments of commands that start actions with the shape of their context:
// playbooks read an object of one action, and a list of several.
func TestACommandForOneMachineShowsOneAction(t *testing.T) {
	found := 0
	for _, command := range NewRegistry().All() {
		at := slices.IndexFunc(command.Arguments(), func(one Argument) bool { return one.Name == "machine_id" })
		starts := slices.ContainsFunc(command.Uses, func(one defender.Operation) bool { return one.Starts != "" })
		if at < 0 || !starts {
			continue
		}
		found++
		if list := command.Arguments()[at].List; command.Outputs[0].Single == list {
			t.Errorf("%s: got the list of machines %t and a single action %t, want one or the other", command.Name, list, command.Outputs[0].Single)
		}
	}
	if found < 10 {
		t.Errorf("got %d commands that start actions, want all of them", found)
	}
}

// TestPermissionsOfCommands compares commands with the claims of an access token.
func TestPermissionsOfCommands(t *testing.T) {
	command := Command{Uses: []defender.Operation{
		{Application: []string{"Machine.Isolate"}, Delegated: []string{"Machine.Isolate.User"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"SecurityIncident.Read.All"}, Graph: true},
		{},
	}}
	for _, test := range []struct {
		name   string
		claims auth.Claims
		want   []string
	}{
		{"none", auth.Claims{}, []string{"Machine.Isolate", "Machine.Read.All or Machine.ReadWrite.All"}},
		{"of an application", auth.Claims{Roles: []string{"Machine.ReadWrite.All"}}, []string{"Machine.Isolate"}},
		{"all", auth.Claims{Roles: []string{"Machine.Read.All", "Machine.Isolate"}}, nil},
		{"of a user", auth.Claims{Scopes: []string{"Machine.Read"}}, []string{"Machine.Isolate.User"}},
		{"of a user who has those of an application", auth.Claims{Scopes: []string{"Machine.Isolate"}}, []string{"Machine.Isolate.User", "Machine.Read"}},
		{"of both", auth.Claims{Roles: []string{"Machine.Isolate"}, Scopes: []string{"Machine.Read"}}, []string{"Machine.Read.All or Machine.ReadWrite.All"}},
	} {
		if got := command.missing(test.claims); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q missing, want %q", test.name, got, test.want)
		}
	}
	want := []PermissionSet{
		{Application: []string{"Machine.Isolate"}, Delegated: []string{"Machine.Isolate.User"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"SecurityIncident.Read.All"}, Graph: true},
	}
	if got := command.PermissionSets(); !slices.EqualFunc(got, want, PermissionSet.Equal) {
		t.Errorf("got %+v, want each set once: %+v", got, want)
	}
}

// TestCommandsThatScheduleThemselves compares the arguments that a command sets itself with what the platform is told.
func TestCommandsThatScheduleThemselves(t *testing.T) {
	registry := NewRegistry()
	for name, want := range map[string]bool{
		FetchCommand: false, TestCommand: false, "get-modified-remote-data": false, "microsoft-atp-isolate-machine": true, ActionsCommand: true,
	} {
		command, found := registry.Find(name)
		if got := command.Schedules(); !found || got != want {
			t.Errorf("%s: got %t, want it to schedule itself: %t", name, got, want)
		}
	}
}
