package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The kinds of live response commands, in the order in which the service accepts them in one session.
const (
	putFileCommand   = "PutFile"
	runScriptCommand = "RunScript"
	getFileCommand   = "GetFile"
)

// sessionOrder is the position of a kind in a session; -1 for a kind that does not exist.
func sessionOrder(kind string) int {
	return slices.Index([]string{putFileCommand, runScriptCommand, getFileCommand}, kind)
}

// sessionCommands reads the commands of a session: lines or a JSON list of texts such as "run triage.ps1 -Days 3", or a
// JSON list of commands as the service has them.
func sessionCommands(run *Run, argument string) ([]defender.LiveResponseCommand, error) {
	given := gjson.ParseBytes(run.raw[argument])
	var all []defender.LiveResponseCommand
	add := func(command defender.LiveResponseCommand, problem string) error {
		if problem != "" {
			return wrong(run, "%s %s", argument, problem)
		}
		if last := len(all) - 1; last >= 0 && sessionOrder(command.Type) < sessionOrder(all[last].Type) {
			return wrong(run, "%s must have the service's order: first put, then run, then get", argument)
		}
		all = append(all, command)
		return nil
	}
	text := strings.TrimSpace(given.String())
	if given.Type == gjson.String && strings.HasPrefix(text, "[") {
		list, err := rawjson.Parse(text)
		if err != nil {
			return nil, wrong(run, "%s is not valid JSON", argument)
		}
		given = gjson.Parse(string(list))
	}
	switch {
	case given.IsArray():
		for _, item := range given.Array() {
			if err := add(sessionCommand(item)); err != nil {
				return nil, err
			}
		}
	default:
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				if err := add(commandOfLine(line)); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, wrong(run, "%s has no command", argument)
	}
	return all, nil
}

const linesHelp = "must have commands such as: put tool.exe; run triage.ps1 -Days 3; get C:\\Temp\\triage.zip (one a line)"

// commandOfLine reads one command of a session. What is wrong with it completes a sentence about the argument.
func commandOfLine(line string) (command defender.LiveResponseCommand, problem string) {
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return command, linesHelp
	}
	one := func(kind, key string) (defender.LiveResponseCommand, string) {
		return defender.LiveResponseCommand{Type: kind, Params: []defender.LiveResponseParameter{{Key: key, Value: unquoted(rest)}}}, ""
	}
	switch strings.ToLower(verb) {
	case "put", "putfile":
		return one(putFileCommand, "FileName")
	case "get", "getfile":
		return one(getFileCommand, "Path")
	case "run", "runscript":
		name, arguments := firstWord(rest)
		command = defender.LiveResponseCommand{Type: runScriptCommand, Params: []defender.LiveResponseParameter{{Key: "ScriptName", Value: name}}}
		if arguments != "" {
			command.Params = append(command.Params, defender.LiveResponseParameter{Key: "Args", Value: arguments})
		}
		return command, ""
	}
	return command, linesHelp
}

// unquoted takes away the quotes around a whole text.
func unquoted(text string) string {
	if last := len(text) - 1; last > 0 && text[0] == '"' && strings.IndexByte(text[1:], '"') == last-1 {
		return text[1:last]
	}
	return text
}

// firstWord splits a text behind its first word, which may be in quotes.
func firstWord(text string) (word, rest string) {
	if strings.HasPrefix(text, `"`) {
		if word, rest, closed := strings.Cut(text[1:], `"`); closed {
			return word, strings.TrimSpace(rest)
		}
	}
	word, rest, _ = strings.Cut(text, " ")
	return word, strings.TrimSpace(rest)
}

// sessionCommand reads one item of a JSON list of commands.
func sessionCommand(item gjson.Result) (command defender.LiveResponseCommand, problem string) {
	if item.Type == gjson.String {
		return commandOfLine(strings.TrimSpace(item.Str))
	}
	for _, kind := range []string{putFileCommand, runScriptCommand, getFileCommand} {
		if strings.EqualFold(item.Get("type").String(), kind) {
			command.Type = kind
		}
	}
	for _, param := range item.Get("params").Array() {
		command.Params = append(command.Params, defender.LiveResponseParameter{Key: param.Get("key").String(), Value: param.Get("value").String()})
	}
	if command.Type == "" || parameter(command, needs(command.Type)) == "" {
		return command, linesHelp
	}
	return command, ""
}

// needs names the parameter that a kind cannot do without.
func needs(kind string) string {
	return map[string]string{putFileCommand: "FileName", runScriptCommand: "ScriptName", getFileCommand: "Path"}[kind]
}

// parameter is a parameter of a command; empty when it has none of the name.
func parameter(command defender.LiveResponseCommand, key string) string {
	for _, param := range command.Params {
		if strings.EqualFold(param.Key, key) {
			return param.Value
		}
	}
	return ""
}

// carriedScript are the arguments for the script that a session runs.
type carriedScript struct {
	Entry   string `arg:"script_entry_id" help:"The ID of a War Room entry with the script that the session runs. It is uploaded first unless the library has it already, and replaces one of the same name. In the terminal, the path of the script."`
	Content string `arg:"script_content" help:"The text of that script, instead of script_entry_id."`
	SHA256  string `arg:"script_sha256" help:"The SHA-256 hash of the script that was reviewed. Nothing is run when the library has another one under its name."`
}

// prepare puts the script in the library, and checks that the one that will run is the one that was meant.
func (c carriedScript) prepare(ctx context.Context, run *Run, commands []defender.LiveResponseCommand) error {
	if c.SHA256 != "" && hashKindOf(c.SHA256) != sha256Hash {
		return wrong(run, "script_sha256 must be the 64 hexadecimal digits of a SHA-256 hash")
	}
	var scripts []string
	for _, command := range commands {
		if command.Type == runScriptCommand {
			scripts = append(scripts, parameter(command, "ScriptName"))
		}
	}
	if c.Entry != "" && c.Content != "" {
		return wrong(run, "script_entry_id and script_content exclude each other")
	}
	carried := c.Entry != "" || c.Content != ""
	if !carried && c.SHA256 == "" {
		return nil
	}
	if len(scripts) != 1 {
		return wrong(run, "script_entry_id, script_content and script_sha256 are for a session that runs one script; commands has %d", len(scripts))
	}
	if carried {
		return c.upload(ctx, run, scripts[0])
	}
	there, err := inLibrary(ctx, run, scripts[0])
	if err != nil {
		return err
	}
	if got := there.Text("sha256"); !strings.EqualFold(got, c.SHA256) {
		return &ScriptError{Name: scripts[0], Want: c.SHA256, Got: got, Not: "run", Remedy: "Review the library's file, or upload the one that was reviewed."}
	}
	return nil
}

func (c carriedScript) upload(ctx context.Context, run *Run, name string) error {
	from := uploaded{Entry: c.Entry}
	if c.Content != "" {
		from.Content = exactText(run, "script_content", c.Content)
	}
	file, err := from.open(ctx, run, name)
	if err != nil {
		return err
	}
	if c.SHA256 != "" && !strings.EqualFold(file.sha256, c.SHA256) {
		return errors.Join(&ScriptError{Name: name, Want: c.SHA256, Got: file.sha256, Not: "run", Remedy: "The script given is not the one that was reviewed."}, file.close())
	}
	_, _, err = file.upload(ctx, run, defender.LibraryFile{Override: true}, true)
	return errors.Join(err, file.close())
}

// The ways to report the results of a session, apart from not at all.
const (
	resultsAsFiles = "files"
	resultsAsLinks = "links"
)

func runSession() Command {
	type args struct {
		onMachines
		Commands string `arg:"commands" required:"true" help:"The commands of the session, one a line or as a JSON list: put FILE, run SCRIPT ARGUMENTS, get PATH. All puts come first, then all runs, then all gets. A JSON list of commands as the service has them is accepted as well."`
		carriedScript
		Results string `arg:"results" default:"files" values:"files,links,none" help:"How to report what runs and gets return, with polling: as files, as links that are valid for 30 minutes, or not at all."`
		waiting
		fileSize
		Fetch []string `arg:"left_to_fetch" list:"false" hidden:"true" help:"The results that are still to be fetched; set by the command itself."`
	}
	out := liveResponseOutput()
	out.Key, out.Single, out.Title = keyedByID, false, "Live response sessions"
	out.Fields = out.Fields[1:] // without action_id, for sessions of several machines are told apart by their own id
	out.Columns = []string{"id", "status", "machineId", "computerDnsName", "creationDateTimeUtc"}
	results := Output{Path: "MicrosoftATP.LiveResponseResult", Key: "val.actionId && val.actionId == obj.actionId && val.index == obj.index", Fields: sessionResultFields()}
	return declare(startsSession(Command{
		Name: "microsoft-atp-live-response-run", Saves: true,
		Help:    "Puts files, runs scripts and gets files on machines, all in one live response session for each machine. With polling, it waits for the end and returns every result.",
		Outputs: []Output{out, results},
		Example: `machine_id=` + exampleMachine + ` commands="[\"put tool.exe\",\"run triage.ps1 -Days 3\",\"get C:/Temp/triage.zip\"]" comment="ticket 4711" polling=true`,
	}, defender.ListLibraryFiles, defender.UploadLibraryFile), func(ctx context.Context, run *Run, in args) (Report, error) {
		follow := &sessions{run: run, out: out, results: results, how: in.Results, waiting: in.waiting, most: in.most(), known: map[string]defender.MachineAction{}}
		switch {
		case len(in.Fetch) > 0:
			return follow.fetch(ctx, in.Fetch, nil)
		case len(in.Actions) > 0 && len(in.Left) == 0:
			return follow.look(ctx)
		}
		commands, err := sessionCommands(run, "commands")
		if err != nil {
			return Report{}, err
		}
		if len(in.Left) == 0 {
			if err := in.prepare(ctx, run, commands); err != nil {
				return Report{}, err
			}
		}
		return in.drive(ctx, run, launch{
			out: out, operation: defender.RunLiveResponse, targets: in.Machines, argument: "machine_id",
			machine: func(target string) string { return target },
			start: func(ctx context.Context, machine string) (defender.MachineAction, error) {
				return run.API.RunLiveResponse(ctx, machine, in.Comment, commands)
			},
		})
	})
}

func sessionResultFields() []warroom.Field {
	fields := []warroom.Field{
		{Name: "actionId", Type: warroom.String, Help: "The ID of the machine action."},
		{Name: "machineId", Type: warroom.String, Help: "The ID of the machine."},
		{Name: "index", Type: warroom.Number, Help: "The position of the command in the session, from 0."},
		{Name: "type", Type: warroom.String, Help: "RunScript or GetFile."},
		{Name: "fileName", Type: warroom.String, Help: "The name of the file with the result."},
		{Name: "link", Type: warroom.String, Help: "The link to the result, with results=links. Anyone who has it can download the result for 30 minutes."},
	}
	return append(fields, scriptFields()...)
}

// sessions follows sessions that were started, and reports their results when all have ended.
type sessions struct {
	run          *Run
	out, results Output
	how          string
	waiting      waiting
	most         int64
	// known are the sessions that were read in this run.
	known map[string]defender.MachineAction
}

// look schedules the next look while a session runs.
func (s *sessions) look(ctx context.Context) (Report, error) {
	whole := s.run.wholeOf(len(s.waiting.Actions))
	limit := s.waiting.limit()
	until := s.run.deadline(limit)
	over := !s.run.began.Before(until)
	seen := lookAt(ctx, s.run, s.waiting.Actions, until.Add(-limit))
	failed := seen.failed
	if len(seen.open) > 0 && !over {
		poll, line := s.waiting.nextLook(s.run, actionArgument, defender.RunLiveResponse.Starts, s.waiting.Actions, len(seen.open), until, whole, seen.after)
		return report(warroom.Entry{Blocks: []warroom.Block{line}, Poll: poll}), nil
	}
	for _, id := range seen.open {
		failed = append(failed, failure{id, &UnfinishedError{id, until}})
	}
	var ended []rawjson.Value
	var wanted []string
	for _, action := range seen.ended {
		switch {
		case !action.Succeeded():
			failed = append(failed, failure{action.ID(), &EndedError{action}})
		case hasCommand(action, isFailed):
			failed = append(failed, failure{action.ID(), &CommandError{action}})
		}
		ended, s.known[action.ID()] = append(ended, action.Value), action
		wanted = append(wanted, s.wanted(action)...)
	}
	if len(ended) == 0 || len(wanted) == 0 && len(failed) == len(s.waiting.Actions) {
		return Report{}, failuresError(failed)
	}
	entries := []warroom.Entry{s.out.rowsEntry(ended, rawjson.Join(ended))}
	if len(failed) > 0 {
		entries = withFailures(entries, failed)
	}
	return s.fetch(ctx, wanted, entries)
}

// wanted lists the results of a session to fetch, as "ACTION/INDEX" of every command that returned one.
func (s *sessions) wanted(action defender.MachineAction) []string {
	if s.how != resultsAsFiles && s.how != resultsAsLinks {
		return nil
	}
	var all []string
	for i, command := range action.Items("commands") {
		kind := command.Get("command.type").String()
		if (kind == runScriptCommand || kind == getFileCommand) && strings.EqualFold(command.Text("commandStatus"), "Completed") {
			all = append(all, action.ID()+"/"+indexOf(command, i))
		}
	}
	return all
}

func indexOf(command rawjson.Value, position int) string {
	if index := command.Key("index"); index.Type == gjson.Number && index.Int() >= 0 {
		return strconv.FormatInt(index.Int(), 10)
	}
	return strconv.Itoa(position)
}

// sessionResult is one result in the context.
type sessionResult struct {
	Action  string `json:"actionId"`
	Machine string `json:"machineId,omitempty"`
	Index   int    `json:"index"`
	Type    string `json:"type,omitempty"`
	File    string `json:"fileName,omitempty"`
	Link    string `json:"link,omitempty"`
}

// fetch reports results behind the entries given.
func (s *sessions) fetch(ctx context.Context, wanted []string, entries []warroom.Entry) (Report, error) {
	asked := forEach(ctx, wanted, func(ctx context.Context, one string) ([]warroom.Entry, error) { return s.result(ctx, one) })
	if s.run.began.Before(s.run.deadline(longestRetry)) {
		asked.putOff(s.waiting.interval(), transient) // the results are still there
	}
	for _, one := range asked.Done {
		entries = append(entries, one.Value...)
	}
	if len(wanted) == 0 {
		return report(entries...), nil
	}
	if len(entries) > 0 && len(asked.Done) == 0 && len(asked.Left) == 0 {
		return Report{Entries: withFailures(entries, asked.Failed)}, nil
	}
	result, err := asked.finish("left_to_fetch", entries...)
	if len(asked.Done) > 0 { // what is left gets its time, as long as there is progress
		result.Until = s.run.began.Add(defaultLimit)
	}
	if len(asked.Failed) == 0 {
		result.Entries = entries // report what the sessions did now, whatever remains to be fetched
	}
	return result, err
}

// result fetches one result.
func (s *sessions) result(ctx context.Context, name string) ([]warroom.Entry, error) {
	actionID, number, _ := strings.Cut(name, "/")
	index, err := strconv.Atoi(number)
	if err != nil {
		return nil, wrong(s.run, "left_to_fetch must be set by the command itself")
	}
	action, read := s.known[actionID]
	if !read {
		if action, err = s.run.API.MachineAction(ctx, actionID); err != nil {
			return nil, err
		}
	}
	told := sessionResult{Action: actionID, Machine: action.Text("machineId"), Index: index}
	var command rawjson.Value
	for i, one := range action.Items("commands") {
		if indexOf(one, i) == number {
			command = one
		}
	}
	told.Type = command.Get("command.type").String()
	link, _, err := s.run.API.LiveResponseLink(ctx, actionID, index)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s: result of command %d (%s)", action.Text("computerDnsName", "machineId"), index, told.Type)
	if s.how == resultsAsLinks {
		told.Link = link
		object := rawjson.Make(told)
		return []warroom.Entry{{
			Blocks:   []warroom.Block{warroom.Link{Text: what, Address: link}},
			Contents: warroom.Raw(object), Context: []warroom.Context{s.results.context([]rawjson.Value{object})},
		}}, nil
	}
	told.File = resultName(action, index, command)
	kept := &document{most: largestResult}
	file, err := download(ctx, s.run, link, told.File, warroom.Download, s.most, kept)
	if err != nil {
		return nil, err
	}
	object := rawjson.Make(told)
	shown := warroom.Table{Title: what, Records: warroom.Records{Rows: []rawjson.Value{object}}}
	if output, err := rawjson.Parse(kept.text.String()); err == nil && told.Type == runScriptCommand {
		object = withAll(object, output)
		shown.Records.Rows = []rawjson.Value{output}
	}
	return []warroom.Entry{{
		Blocks: []warroom.Block{shown}, Contents: warroom.Raw(object), Context: []warroom.Context{s.results.context([]rawjson.Value{object})},
	}, file}, nil
}

// withAll adds the keys of the script's result to an object.
func withAll(object, more rawjson.Value) rawjson.Value {
	for _, field := range scriptFields() {
		if value := more.Key(field.Name); value.Exists() {
			object = with(object, field.Name, value.Value())
		}
	}
	return object
}

// resultName names the file of a result by the machine and the command that it is of.
func resultName(action defender.MachineAction, index int, command rawjson.Value) string {
	name := "result"
	for _, param := range command.Get("command.params").Array() {
		if key := param.Get("key").String(); key == "ScriptName" || key == "Path" {
			name = baseName(param.Get("value").String())
		}
	}
	ending := ".json"
	if command.Get("command.type").String() == getFileCommand {
		ending = ".gz"
	}
	return fmt.Sprintf("%s %d %s%s", action.Text("computerDnsName", "machineId"), index, name, ending)
}
