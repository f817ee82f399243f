package platform_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"xsoar-defender/execution"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
)

// TestEntriesAsThePlatformReadsThem compares entries of every kind with what is written of them.
func TestEntriesAsThePlatformReadsThem(t *testing.T) {
	const rest = `"IgnoreAutoExtract":false,"Note":false,"IndicatorTimeline":[],"Relationships":[]}`
	said := []warroom.Block{warroom.Paragraph("a *b* c")}
	for _, test := range []struct {
		name  string
		entry warroom.Entry
		want  string
	}{
		{
			"a text",
			warroom.Entry{Blocks: said},
			`{"Type":1,"ContentsFormat":"text","Contents":"a \\*b\\* c","HumanReadable":"a \\*b\\* c","ReadableContentsFormat":"markdown",` + rest,
		},
		{"nothing", warroom.Entry{}, `{"Type":1,"ContentsFormat":"text","Contents":"",` + rest},
		{
			"an answer of the service with its text and context",
			warroom.Entry{Blocks: said, Contents: warroom.Raw(`{"id":1}`), Context: []warroom.Context{{Path: "A(val.ID === obj.ID)", Value: warroom.Raw(`[2]`)}, {Path: "B", Value: warroom.Text("x")}}},
			`{"Type":1,"ContentsFormat":"json","Contents":{"id":1},"HumanReadable":"a \\*b\\* c","ReadableContentsFormat":"markdown","EntryContext":{"A(val.ID === obj.ID)":[2],"B":"x"},` + rest,
		},
		{"an empty answer", warroom.Entry{Contents: warroom.Raw("")}, `{"Type":1,"ContentsFormat":"text","Contents":"",` + rest},
		{"a text for the platform", warroom.Entry{Literal: `["da1"]`, Contents: warroom.Raw("1")}, `{"Type":1,"ContentsFormat":"text","Contents":"[\"da1\"]",` + rest},
		{"a failure", warroom.Fail("a *b* c"), `{"Type":4,"ContentsFormat":"text","Contents":"a *b* c",` + rest},
		{
			"a file",
			warroom.Entry{Kind: warroom.Download, File: &warroom.File{Name: "a.gz", ID: "7"}, Contents: warroom.Raw("1")},
			`{"Type":3,"ContentsFormat":"text","Contents":"","File":"a.gz","FileID":"7",` + rest,
		},
		{
			"a file with information",
			warroom.Entry{Kind: warroom.Info, File: &warroom.File{Name: "a.txt", ID: "8"}},
			`{"Type":9,"ContentsFormat":"text","Contents":"","File":"a.txt","FileID":"8",` + rest,
		},
		{
			"a warning that asks for another run",
			warroom.Entry{Kind: warroom.Warning, Literal: "w", Poll: &warroom.Poll{Command: "again", Args: map[string]any{"id": "1"}, After: 10*time.Second + time.Millisecond, Limit: 59 * time.Second}},
			`{"Type":11,"ContentsFormat":"text","Contents":"w","PollingCommand":"again","NextRun":"11","PollingArgs":{"id":"1"},"Timeout":"59",` + rest,
		},
		{
			"another run as soon as the platform runs anything again",
			warroom.Entry{Literal: "w", Poll: &warroom.Poll{Command: "again", Args: map[string]any{}, After: time.Second}},
			`{"Type":1,"ContentsFormat":"text","Contents":"w","PollingCommand":"again","NextRun":"10","PollingArgs":{},` + rest,
		},
		{
			"a note of the incident with a tag",
			warroom.Entry{Literal: "w", Pinned: true, Tags: []string{"FromDefender"}},
			`{"Type":1,"ContentsFormat":"text","Contents":"w","IgnoreAutoExtract":false,"Note":true,"Tags":["FromDefender"],"IndicatorTimeline":[],"Relationships":[]}`,
		},
	} {
		var got strings.Builder
		if err := platform.EncodeResults(&got, execution.Result{Entries: []warroom.Entry{test.entry}}); err != nil {
			t.Fatal(err)
		}
		if want := `{"results":[` + test.want + "]}\n"; got.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got.String(), want)
		}
	}
	var got strings.Builder
	if err := platform.EncodeResults(&got, execution.Result{Entries: []warroom.Entry{{Literal: "first"}}, Err: errors.New("then it failed")}); err != nil {
		t.Fatal(err)
	}
	if first, then, found := strings.Cut(got.String(), `},{"Type":4,`); !found || !strings.Contains(first, `"first"`) || !strings.Contains(then, `"then it failed"`) {
		t.Errorf("got %s, want the entry, and the error after it", got.String())
	}
}

func TestAScriptIsToldThatTheImageIsNotForIt(t *testing.T) {
	_, _, err := platform.DecodeExecution(`{"command":"SomeScript","args":{},"integration":false,"script":"return_results(1)"}`)
	if err == nil || !strings.Contains(err.Error(), "no scripts") {
		t.Errorf("got %v, want a sentence about scripts", err)
	}
	if _, _, err := platform.DecodeExecution(`{"command":"endpoint","integration":true}`); err != nil {
		t.Errorf("got %v, want a command of the integration to run", err)
	}
}
