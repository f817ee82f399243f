package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// commandTime is how long each command of a live response session takes.
	commandTime = 2 * time.Second
	// maxSessions is how many live response sessions may run at once (https://learn.microsoft.com/defender-endpoint/api/run-live-response).
	maxSessions = 50
)

// commandOrder are the kinds of command, in the order that the service wants them, with their parameters; those that
// start with "?" may be missing.
var commandOrder = []struct {
	kind       string
	parameters []string
}{
	{"PutFile", []string{"FileName"}},
	{"RunScript", []string{"ScriptName", "?Args"}},
	{"GetFile", []string{"Path"}},
}

// runLiveResponse starts a live response session.
func (c *company) runLiveResponse(call *call, m *machine, body fields) (reply, *apiError) {
	commands, failure := readCommands(body)
	if failure != nil {
		return reply{}, failure
	}
	var comment string
	if failure := body.read("Comment", &comment); failure != nil {
		return reply{}, failure
	}
	if failure := c.acceptable("LiveResponse", m, "", nil); failure != nil {
		return reply{}, failure
	}
	running := where(c.actions, func(a *machineAction) bool { return a.Type == "LiveResponse" && !a.final() })
	if len(running) >= maxSessions {
		return reply{}, &apiError{http.StatusTooManyRequests, "TooManyRequests", fmt.Sprintf("%d live response sessions run already.", maxSessions)}
	}
	a := c.newAction("LiveResponse", m, call.app.requestor(), comment, call.now)
	for i, command := range commands {
		a.Commands = append(a.Commands, c.newCommand(i, m, command))
	}
	a.planSession()
	return reply{http.StatusCreated, c.single("MachineActions", a)}, nil
}

// readCommands reads and checks the commands of a session.
func readCommands(body fields) ([]commandOfSession, *apiError) {
	var list []map[string]json.RawMessage
	if failure := body.read("Commands", &list); failure != nil {
		return nil, failure
	}
	if len(list) == 0 {
		return nil, missing("Commands")
	}
	commands := make([]commandOfSession, len(list))
	last := 0
	for i, item := range list {
		command := &commands[i]
		if failure := fields(item).read("type", &command.Type); failure != nil {
			return nil, failure
		}
		if failure := fields(item).read("params", &command.Params); failure != nil {
			return nil, failure
		}
		place := -1
		for k, known := range commandOrder {
			if known.kind == command.Type {
				place = k
			}
		}
		if place < 0 {
			return nil, invalid("The command type %q is not known.", command.Type)
		}
		if place < last {
			return nil, invalid("Commands must come in the order PutFile, RunScript, GetFile.")
		}
		last = place
		if failure := command.check(commandOrder[place].parameters); failure != nil {
			return nil, failure
		}
	}
	return commands, nil
}

// check compares the parameters of a command with those it takes.
func (s commandOfSession) check(parameters []string) *apiError {
	for _, p := range s.Params {
		if !slices.Contains(parameters, p.Key) && !slices.Contains(parameters, "?"+p.Key) {
			return invalid("%s has no parameter %q.", s.Type, p.Key)
		}
	}
	for _, name := range parameters {
		if !strings.HasPrefix(name, "?") && s.parameter(name) == "" {
			return &apiError{http.StatusBadRequest, "MissingRequiredParameter", fmt.Sprintf("%s needs the parameter %s.", s.Type, name)}
		}
	}
	return nil
}

func (s commandOfSession) parameter(name string) string {
	for _, p := range s.Params {
		if p.Key == name {
			return p.Value
		}
	}
	return ""
}

// newCommand decides what the machine will make of a command.
func (c *company) newCommand(index int, m *machine, s commandOfSession) *liveResponseCommand {
	command := &liveResponseCommand{Index: index, CommandStatus: "Created", Errors: []string{}, Command: s}
	switch s.Type {
	case "PutFile":
		if c.libraryFileNamed(s.parameter("FileName")) == nil {
			command.failure = "File not found in the live response library"
		}
	case "RunScript":
		name := s.parameter("ScriptName")
		if c.libraryFileNamed(name) == nil {
			command.failure = "Script not found in the live response library"
		}
		command.result = scriptResult(name, s.parameter("Args"))
	case "GetFile":
		name := s.parameter("Path")
		if !m.hasPath(name) {
			command.failure = "File not found on the machine"
		}
		command.result = c.fileOnMachine(m, name)
	}
	return command
}

// hasPath reports whether a path can be one of the machine's: it must be an absolute one of its system. Whatever is asked
// for in this way is there.
func (m *machine) hasPath(name string) bool {
	if m.isWindows() {
		return len(name) > 3 && name[1:3] == `:\`
	}
	return path.IsAbs(name)
}

// planSession sets when a session ends: with its last command, or the first one that fails.
func (a *machineAction) planSession() {
	if a.plan.begins.IsZero() {
		return
	}
	a.plan.ends = a.plan.begins
	for _, command := range a.Commands {
		a.plan.ends = a.plan.ends.Add(commandTime)
		if command.failure != "" {
			a.plan.result = "Failed"
			return
		}
	}
}

// advanceCommands moves the commands of a session on, one after the other, up to the first one that fails.
func (a *machineAction) advanceCommands(now time.Time) {
	start := a.plan.begins
	for _, command := range a.Commands {
		end := start.Add(commandTime)
		if now.Before(start) {
			return
		}
		if command.StartTime.IsZero() {
			command.StartTime = at(start)
		}
		if now.Before(end) {
			return
		}
		if command.EndTime.IsZero() {
			command.EndTime, command.CommandStatus = at(end), "Completed"
		}
		if command.failure != "" {
			command.CommandStatus, command.Errors = "Failed", []string{command.failure}
			return
		}
		start = end
	}
}

// getLiveResponseResult leads to the result of a command that has completed.
func (c *company) getLiveResponseResult(call *call, a *machineAction) (reply, *apiError) {
	index, err := strconv.Atoi(call.arguments["index"])
	if err != nil {
		return reply{}, invalid("The command index %q is not a number.", call.arguments["index"])
	}
	if index < 0 || index >= len(a.Commands) {
		return reply{}, notFound("Command", fmt.Sprintf("%d of machine action %s", index, a.ID))
	}
	command := a.Commands[index]
	if command.result == nil || command.CommandStatus != "Completed" {
		return reply{}, &apiError{http.StatusNotFound, "ResourceNotFound", fmt.Sprintf("Command %d of machine action %s has no result, its status is %s.", index, a.ID, command.CommandStatus)}
	}
	link := c.link(fmt.Sprintf("investigation-actions-data/%s/%d", a.ID, index), command.result, call.now)
	return reply{http.StatusOK, c.linkAnswer(link)}, nil
}
