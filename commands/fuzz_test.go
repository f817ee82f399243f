package commands_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
	"xsoar-defender/warroom/warroomtest"
)

// wantSound checks what every result must have: no panic, a readable error, and entries that encode as one line of JSON
// and whose tables stay within their cells.
func wantSound(t testing.TB, where string, result execution.Result) {
	t.Helper()
	if mistake, ok := errors.AsType[*commands.PanicError](result.Err); ok {
		t.Fatalf("%s: the command panicked: %v\n%s", where, mistake.Value, mistake.Stack)
	}
	if result.Err != nil {
		// A failure with several causes has a line for each.
		text := result.Err.Error()
		if line := strings.ReplaceAll(text, "\n", " "); !clearSentence.MatchString(line) || strings.ContainsFunc(line, misleading) || !utf8.ValidString(line) {
			t.Errorf("%s: the error is not clear: %q", where, text)
		}
		for line := range strings.Lines(text) {
			if len(line) > longestError {
				t.Errorf("%s: the error has a line of %d bytes", where, len(line))
			}
		}
	}
	if result.Err == nil && len(result.Entries) == 0 {
		t.Errorf("%s: there is neither an error nor an entry", where)
	}
	var line strings.Builder
	if err := platform.EncodeResults(&line, result); err != nil {
		t.Fatal(err)
	}
	text := line.String()
	if strings.Count(text, "\n") != 1 || strings.Contains(text, "\r") || !strings.HasSuffix(text, "\n") || !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		t.Errorf("%s: got %.2000q, want one line of JSON", where, text)
	}
	for _, entry := range result.Entries {
		for _, block := range entry.Blocks {
			if table, ok := block.(warroom.Table); ok {
				warroomtest.WantTable(t, table)
			}
		}
	}
}

// FuzzAnswers answers every request of a command with anything: with a raw text, or with a valid answer whose texts are
// replaced. Whatever the service answers, the result is sound.
func FuzzAnswers(f *testing.F) {
	all := triedCommands()
	var tries []trial
	for number, command := range all {
		try := trialsOf(command)[0]
		tries = append(tries, try)
		for _, body := range try.answers {
			f.Add(uint(number), true, body, 200)
		}
	}
	for number, text := range []string{"", "null", "[]", `{"value":[null]}`, "<html>", "a|b\n", "\u202e\x00", "\xff", "javascript:alert(1)", `../../x`, `","a":"`, strings.Repeat("[", 2000)} {
		f.Add(uint(number), false, text, 200)
		f.Add(uint(number), true, text, 400+number)
	}
	origin := commandstest.New(f)
	origin.Tenant.SetTokenLifetime(1_000_000 * time.Hour)
	params := origin.Params
	f.Fuzz(func(t *testing.T, which uint, raw bool, text string, status int) {
		i := origin.In(t)
		number := int(which % uint(len(all)))
		command, try := all[number], tries[number]
		if !raw {
			text = reshape(wholeAnswer(try), func(leaf any) any { return ifText(leaf, text) })
		}
		if status < 200 || status > 599 {
			status = 200
		}
		i.Params = params
		i.Tenant.ClearFaults()
		i.Tenant.ResetRequests()
		i.Clock.Advance(10 * time.Minute) // the tenant's rate limits start again
		if try.prepare != nil {
			try.prepare(i)
		}
		for _, kind := range []simulator.Kind{simulator.KindAPI, simulator.KindGraph, simulator.KindDownload} {
			i.Tenant.Script(simulator.Fault{Kind: kind, Status: status, Body: text, Empty: text == ""})
		}
		result := i.Run(command.Name, resolve(i, try.args))
		wantSound(t, command.Name, result.Result)
		for _, entry := range result.Entries {
			if entry.File != nil {
				if err := i.Host.Discard(entry.File.ID); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// wholeAnswer returns a valid answer for a trial, with all keys of its views.
func wholeAnswer(try trial) string {
	for _, body := range try.answers {
		return body
	}
	return anything
}
