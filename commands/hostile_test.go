package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/warroom"
)

// raw is a value of an argument as it is in the platform's line.
func raw(text string) any { return json.RawMessage(text) }

// hostile returns values that would break out of the place where they are put, or break their reader.
func hostile() map[string]any {
	return map[string]any{
		"quotes":                      `'"` + "`" + `''""`,
		"pipes":                       `a|b||c`,
		"line breaks":                 "a\nb\r\nc\u2028d",
		"control characters":          "a\x01\x1b[31m\x7fb",
		"NUL":                         "a\x00b",
		"marks of direction":          "\u202eexe.txt\u2066",
		"a key of OData":              `@odata.nextLink`,
		"a way up":                    `../../x`,
		"a way up, escaped":           `..%2f..%2fx?$top=1#y`,
		"a script":                    `javascript:alert(1)`,
		"a formula":                   `=cmd|'/C calc'!A0`,
		"a condition that is true":    `' or 1 eq 1 or '`,
		"the end of a call":           `') or (contains(id,'`,
		"more of a hunt":              `" | take 1 //`,
		"the end of a verbatim text":  `@"" or true //`,
		"a backslash at the end":      `a\`,
		"a list with gaps":            `,,a,,`,
		"nothing but gaps":            `,,,`,
		"JSON that nests, as it is":   raw(strings.Repeat(`{"a":`, 3000) + `1` + strings.Repeat(`}`, 3000)),
		"JSON with keys twice":        `[{"id":"a","id":"b"}]`,
		"a number beyond 64 bits":     raw(`9223372036854775808`),
		"a number beyond all bounds":  raw(`1e999`),
		"a time before all times":     `0000-01-01T00:00:00+23:59`,
		"bytes that are no UTF-8":     raw("\"a\xff\xc3\""),
		"HTML":                        `<img src=x onerror=alert(1)>`,
		"Markdown":                    "[x](javascript:y)\n\n# h\n```",
		"a text of 20 thousand bytes": strings.Repeat("x", 20_000),
	}
}

// harmless holds valid values of every kind of argument. With them a command shows which requests it makes.
func harmless() []any {
	return []any{
		"a", "7", "10.2.0.17", aSHA1, strings.Repeat("a", 64), "bad.example", "https://bad.example/x", "3 days", "2026-11-19T10:00:00Z", "true", "CVE-2026-0001", `contoso\nora`,
		"nora@contoso.example", "a, b",
		[]string{"a", "b"},
		[]any{map[string]any{"a": 1}},
		"",
		strings.Repeat("a", 1_910), // a filter of its own
	}
}

// longArgument is longer than any reasonable text.
const longArgument = 10 << 20

// TestHostileArguments tries hostile values on every argument of every command. The result is always sound, and every request
// has the same shape as one that the command makes with a harmless value, apart from the content of its literals.
func TestHostileArguments(t *testing.T) {
	t.Parallel()
	var cells, requests atomic.Int64
	began := time.Now()
	areas := map[commands.Area]bool{}
	t.Run("commands", func(t *testing.T) {
		for at, command := range triedCommands() {
			long := !areas[command.Area]
			areas[command.Area] = true
			t.Run(command.Name, func(t *testing.T) {
				t.Parallel()
				h := &hostileArguments{Instance: commandstest.New(t), t: t, command: command, cells: &cells, requests: &requests, long: long}
				h.Tenant.SetTokenLifetime(1_000_000 * time.Hour)
				for number, argument := range command.Arguments() {
					if command.Name == "microsoft-atp-incident-list" && argument.Name == "filter" {
						continue // a condition in OData as its user writes it, for which there is no quoting
					}
					h.try(at+number, argument)
				}
			})
		}
	})
	t.Logf("%d values were tried in %s; %d requests came of them", cells.Load(), time.Since(began).Round(time.Millisecond), requests.Load())
}

// hostileArguments is a command that is run with hostile values.
type hostileArguments struct {
	*commandstest.Instance

	t               *testing.T
	command         commands.Command
	cells, requests *atomic.Int64
	// long reports whether a very long value has not been tried yet.
	long bool
}

func (h *hostileArguments) try(offset int, argument commands.Argument) {
	h.t.Helper()
	values := hostile()
	if h.long {
		// One for each area is enough: it takes long.
		values["a text of 10 MB"] = strings.Repeat("'", longArgument)
		h.long = false
	}
	made := map[string]string{} // the name of the value, by the shape of the request
	for number, name := range slices.Sorted(maps.Keys(values)) {
		if !commands.InSample(number+offset, 14) {
			continue
		}
		value := values[name]
		if text, is := value.(string); argument.List {
			if !is || strings.Contains(text, ",") {
				h.run(argument, name+", as it is", value)
			}
			value = []any{value}
		}
		for _, shape := range h.run(argument, name, value) {
			made[shape] = name
		}
	}
	if slices.Contains(ownWords(), argument.Name) {
		return
	}
	for _, value := range harmless() {
		if len(made) == 0 {
			return
		}
		for _, shape := range h.run(argument, "a harmless value", value) {
			delete(made, shape)
		}
	}
	for shape, name := range made {
		h.t.Errorf("%s with %s made a request that it makes with no harmless value: %s", argument.Name, name, shape)
	}
}

// ownWords holds the arguments whose value is sent as it is, because it is in the service's own language: queries,
// indicators and filters.
func ownWords() []string { return []string{"query", "query_batch", "indicator_batch", "filters"} }

// run runs the command with a value, checks the result, and returns the shapes of the requests.
func (h *hostileArguments) run(argument commands.Argument, name string, value any) []string {
	h.t.Helper()
	where := fmt.Sprintf("%s with %s", argument.Name, name)
	try := trialsOf(h.command)[0]
	args := onARealMachine(h.Instance, try.args)
	if args == nil {
		args = map[string]any{}
	}
	args[argument.Name] = value
	h.Clock.Advance(10 * time.Minute) // the tenant's rate limits start again
	h.Tenant.ResetRequests()
	result := h.Run(h.command.Name, args)
	h.cells.Add(1)
	h.requests.Add(int64(len(result.Requests)))
	wantSound(h.t, where, result.Result)
	wantNothingToClick(h.t, where, result)
	var shapes []string
	for _, request := range result.Requests {
		shapes = append(shapes, h.shape(where, request))
		malformed := request.Status == http.StatusBadRequest && (request.Query.Has("$filter") || h.command.Area == commands.Hunting)
		if malformed && !slices.Contains(ownWords(), argument.Name) {
			h.t.Errorf("%s: the tenant cannot read %s %.2000s %.2000s", where, request.Method, request.URI, request.Body)
		}
	}
	return shapes
}

// wantNothingToClick checks that the text contains no links except those that a command makes on purpose, and nothing
// that would mislead a terminal or a reader.
func wantNothingToClick(t testing.TB, where string, result commandstest.Result) {
	t.Helper()
	for _, entry := range result.Entries {
		var plain []warroom.Block
		for _, block := range entry.Blocks {
			switch block.(type) {
			case warroom.Code, warroom.Link:
			default:
				plain = append(plain, block)
			}
		}
		shown := warroom.Markdown(plain)
		if strings.ContainsFunc(shown, misleading) || clickable(strings.ReplaceAll(shown, "<br>", "")) {
			t.Errorf("%s: the War Room would take a part for more than text: %.2000q", where, shown)
		}
	}
}

// misleading reports whether a character hides or reverses text, or controls a terminal.
func misleading(r rune) bool {
	return r < ' ' && r != '\n' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// clickable reports whether a text has a link, the definition of one, or a tag. Most texts have none of their characters,
// which is found out faster without an expression.
func clickable(text string) bool {
	return strings.Contains(text, "](") || strings.Contains(text, "<") || strings.Contains(text, "]:") && linkDefinition.MatchString(text)
}

// linkDefinition matches the definition of a link, which only a line of its own can be.
var linkDefinition = regexp.MustCompile(`(?m)^ {0,3}\[[^\]\n]*\]:`)

// Literals of OData and of KQL. The rest of a filter or a query is the program's own.
var (
	literalOfOData = regexp.MustCompile(`'(?:[^']|'')*'`)
	literalOfKQL   = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	moments        = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z?`)
	numbers        = regexp.MustCompile(`\b\d+(\.\d+)?\b`)
)

// shape returns the parts of a request that do not depend on the values of arguments: its operation, which must be one
// that the command declares, the names of its query, its filter without literals, and the keys of its body.
func (h *hostileArguments) shape(where string, request simulator.Request) string {
	h.t.Helper()
	shape := request.Method + " " + h.operation(where, request)
	for _, name := range slices.Sorted(maps.Keys(request.Query)) {
		shape += " " + name
		for _, value := range request.Query[name] {
			if name == "$filter" {
				shape += "=" + withoutNumbers(literalOfOData.ReplaceAllString(value, "'…'"))
			}
		}
	}
	switch {
	case strings.HasPrefix(string(request.Body), "--"):
		shape += "\n" + shapeOfForm(h.t, where, string(request.Body))
	case len(request.Body) > 0:
		shape += "\n" + shapeOf(gjson.ParseBytes(request.Body))
	}
	return shape
}

// shapeOfForm is the names of the parts of a form, as the recipient reads them.
func shapeOfForm(t testing.TB, where, body string) string {
	t.Helper()
	boundary, _, _ := strings.Cut(strings.TrimPrefix(body, "--"), "\r\n")
	reader := multipart.NewReader(strings.NewReader(body), boundary)
	var names []string
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Errorf("%s: the form cannot be read: %v", where, err)
			return ""
		}
		names = append(names, part.FormName())
	}
}

func withoutNumbers(text string) string {
	return numbers.ReplaceAllString(moments.ReplaceAllString(text, "…"), "…")
}

// operation returns the path of the operation that a request was for, which the command must declare.
func (h *hostileArguments) operation(where string, request simulator.Request) string {
	h.t.Helper()
	target, _, _ := strings.Cut(request.URI, "?")
	for _, operation := range h.command.Uses {
		parts := strings.Split(operation.Path, "{}")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if operation.Method == request.Method && regexp.MustCompile(`^`+strings.Join(parts, `[^/]+`)+`$`).MatchString(target) {
			return operation.Path
		}
	}
	h.t.Errorf("%s: the request %s %.500s is of no operation that the command declares", where, request.Method, request.URI)
	return target
}

// shapeOf returns a JSON value without its texts and numbers, and a query without its literals. Equal items of a list
// count once.
func shapeOf(value gjson.Result) string {
	switch {
	case value.IsObject():
		var parts []string
		value.ForEach(func(key, item gjson.Result) bool {
			part := shapeOf(item)
			if strings.EqualFold(key.Str, "query") {
				part = withoutNumbers(literalOfKQL.ReplaceAllString(item.Str, `"…"`))
			}
			parts = append(parts, key.Raw+":"+part)
			return true
		})
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case value.IsArray():
		var parts []string
		for _, item := range value.Array() {
			parts = append(parts, shapeOf(item))
		}
		slices.Sort(parts)
		return "[" + strings.Join(slices.Compact(parts), ",") + "]"
	}
	return value.Type.String()
}
