package commands

import (
	"reflect"
	"testing"
)

// TestANewerChangeTakesPrecedence lays changes over older ones that could not be sent, field by field.
func TestANewerChangeTakesPrecedence(t *testing.T) {
	older := remoteChange{Status: "New", AssignedTo: "nora", Comment: "first", Classification: "TruePositive", Determination: "Malware", Tags: []string{"a"}}
	whole := remoteChange{Status: "Resolved", AssignedTo: "alex", Comment: "second", Classification: "FalsePositive", Determination: "NotMalicious", Tags: []string{"b"}}
	for name, test := range map[string]struct{ newer, over, left remoteChange }{
		"nothing":      {remoteChange{}, older, older},
		"a status":     {remoteChange{Status: "Resolved"}, changed(older, func(c *remoteChange) { c.Status = "Resolved" }), changed(older, func(c *remoteChange) { c.Status = "" })},
		"an assignee":  {remoteChange{AssignedTo: "alex"}, changed(older, func(c *remoteChange) { c.AssignedTo = "alex" }), changed(older, func(c *remoteChange) { c.AssignedTo = "" })},
		"a comment":    {remoteChange{Comment: "second"}, changed(older, func(c *remoteChange) { c.Comment = "second" }), changed(older, func(c *remoteChange) { c.Comment = "" })},
		"tags":         {remoteChange{Tags: []string{"b"}}, changed(older, func(c *remoteChange) { c.Tags = []string{"b"} }), changed(older, func(c *remoteChange) { c.Tags = nil })},
		"the last tag": {remoteChange{Tags: []string{}}, changed(older, func(c *remoteChange) { c.Tags = []string{} }), changed(older, func(c *remoteChange) { c.Tags = nil })},
		"half a verdict": {
			remoteChange{Classification: "FalsePositive"}, // a determination of the other classification would not fit
			changed(older, func(c *remoteChange) { c.Classification, c.Determination = "FalsePositive", "" }),
			changed(older, func(c *remoteChange) { c.Classification, c.Determination = "", "" }),
		},
		"the other half": {
			remoteChange{Determination: "Phishing"},
			changed(older, func(c *remoteChange) { c.Classification, c.Determination = "", "Phishing" }),
			changed(older, func(c *remoteChange) { c.Classification, c.Determination = "", "" }),
		},
		"everything": {whole, whole, remoteChange{}},
	} {
		if got := test.newer.over(older); !reflect.DeepEqual(got, test.over) {
			t.Errorf("%s over an older change: got %+v, want %+v", name, got, test.over)
		}
		if got := older.without(test.newer); !reflect.DeepEqual(got, test.left) || got.empty() != reflect.DeepEqual(test.left, remoteChange{}) {
			t.Errorf("what %s leaves of an older change: got %+v, want %+v", name, got, test.left)
		}
	}
}

// changed returns a change after an edit.
func changed(change remoteChange, edit func(*remoteChange)) remoteChange {
	edit(&change)
	return change
}

// TestOnlyWhatIsNotSoAlreadyIsSent compares a change with what is in Defender, field by field.
func TestOnlyWhatIsNotSoAlreadyIsSent(t *testing.T) {
	whole := remoteChange{Status: "Resolved", AssignedTo: "alex@contoso.example", Comment: "done", Classification: "FalsePositive", Determination: "Other", Tags: []string{"a", "b"}}
	now := remoteState{
		Status: "Resolved", AssignedTo: "Alex@Contoso.example", Classification: "FalsePositive", Determination: "Other", Tags: []string{"b", "a"},
		Comments: []remoteComment{{Text: "before"}, {Text: " done\n"}},
	}
	if got := whole.from(now); !got.empty() {
		t.Errorf("got %+v, want nothing: all of it is so", got)
	}
	for name, test := range map[string]struct {
		edit func(*remoteState)
		want remoteChange
	}{
		"the status":        {func(s *remoteState) { s.Status = "New" }, remoteChange{Status: whole.Status}},
		"the assignee":      {func(s *remoteState) { s.AssignedTo = "" }, remoteChange{AssignedTo: whole.AssignedTo}},
		"the comment":       {func(s *remoteState) { s.Comments = s.Comments[:1] }, remoteChange{Comment: whole.Comment}},
		"the determination": {func(s *remoteState) { s.Determination = "" }, remoteChange{Determination: whole.Determination}},
		"the classification": { // with the determination, which would not fit the other one
			func(s *remoteState) { s.Classification = "TruePositive" }, remoteChange{Classification: whole.Classification, Determination: whole.Determination},
		},
		"the tags": {func(s *remoteState) { s.Tags = []string{"a"} }, remoteChange{Tags: whole.Tags}},
	} {
		differs := now
		test.edit(&differs)
		if got := whole.from(differs); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s differs: got %+v, want %+v", name, got, test.want)
		}
	}
	if got := (remoteChange{Tags: []string{}}).from(remoteState{Tags: []string{"a"}}); got.Tags == nil {
		t.Error("got no change of the tags, want the last one removed")
	}
}
