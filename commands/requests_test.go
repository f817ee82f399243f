package commands_test

import (
	"slices"
	"testing"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// askedOfTheAuthority lists the requests of one sign-in: the metadata of the authority, and a token.
const askedOfTheAuthority = 2

// signsInAgain lists the commands whose purpose is to check the sign-in.
func signsInAgain(command string) bool {
	return slices.Contains([]string{"test-module", "microsoft-atp-test"}, command)
}

// TestEveryCommandSignsInOnce counts the requests of every command: to the authority as many as one sign-in takes for
// each service that it uses, and none when it runs again. The trials have the number of requests to the services.
func TestEveryCommandSignsInOnce(t *testing.T) {
	t.Parallel()
	for _, command := range triedCommands() {
		t.Run(command.Name, func(t *testing.T) {
			t.Parallel()
			try := trialsOf(command)[0]
			i := commandstest.New(t)
			try.script(i)
			args := resolve(i, try.args)
			first, again := asked(i, command.Name, args), asked(i, command.Name, args)
			services := 0
			for _, service := range []simulator.Kind{simulator.KindAPI, simulator.KindGraph} {
				if first[service] > 0 {
					services++
				}
			}
			if command.Name == "microsoft-atp-list-auth-permissions" { // it reads the token alone
				services = 1
			}
			if got, want := first[simulator.KindAuthority], services*askedOfTheAuthority; got != want {
				t.Errorf("the first run asked the authority %d times, want %d", got, want)
			}
			want := 0
			if signsInAgain(command.Name) {
				want = askedOfTheAuthority
			}
			if got := again[simulator.KindAuthority]; got != want {
				t.Errorf("the second run asked the authority %d times, want %d", got, want)
			}
		})
	}
}

// asked counts the requests of a run by host.
func asked(i *commandstest.Instance, command string, args map[string]any) map[simulator.Kind]int {
	i.Tenant.ResetRequests()
	i.Run(command, args)
	counts := map[simulator.Kind]int{}
	for _, request := range i.Tenant.Requests() {
		counts[request.Kind]++
	}
	return counts
}
