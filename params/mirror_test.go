package params_test

import (
	"reflect"
	"testing"
	"time"

	"xsoar-defender/params"
)

func TestMirrorIsOffUnlessItIsChosen(t *testing.T) {
	got := decode(t, ownApplication()).Mirror
	if got.Direction != "" || got.CloseIncident || got.CloseRemote || got.CloseAlerts || got.Owners {
		t.Errorf("got %+v, want nothing mirrored", got)
	}
	for option, want := range map[string]string{"None": "", "Incoming": "In", "Outgoing": "Out", "Incoming And Outgoing": "Both", "incoming and outgoing": "Both"} {
		if got := decode(t, ownApplication().with(fields{"mirror_direction": option})).Mirror.Direction; got != want {
			t.Errorf("%s: got the direction %q, want %q", option, got, want)
		}
	}
}

func TestMirrorReadsWhatIsPutOverItsDefaults(t *testing.T) {
	got := decode(t, ownApplication().with(fields{
		"close_reason_in":  "truepositive=Handled, Unknown = Duplicate",
		"close_reason_out": "Duplicate=falsepositive/insufficientdata,Resolved=Unknown,Test=InformationalExpectedActivity",
		"mirror_look_back": 60, "reopen_statuses": "",
	})).Mirror
	wantIn := map[string]string{"TruePositive": "Handled", "InformationalExpectedActivity": "Resolved", "FalsePositive": "False Positive", "Unknown": "Duplicate"}
	if !reflect.DeepEqual(got.ReasonsIn, wantIn) {
		t.Errorf("got %v, want the reasons %v", got.ReasonsIn, wantIn)
	}
	wantOut := map[string]params.Verdict{
		"resolved": {}, "falsepositive": {Classification: "FalsePositive", Determination: "Other"},
		"duplicate": {Classification: "FalsePositive", Determination: "InsufficientData"}, "test": {Classification: "InformationalExpectedActivity", Determination: "Other"},
	}
	if !reflect.DeepEqual(got.ReasonsOut, wantOut) {
		t.Errorf("got %v, want the verdicts %v", got.ReasonsOut, wantOut)
	}
	if got.LookBack != time.Hour || len(got.Reopen) != 0 {
		t.Errorf("got %v and %v, want an hour and no status that reopens", got.LookBack, got.Reopen)
	}
}

// TestMirrorTellsAllThatIsWrongAtOnce puts something wrong in every field of mirroring.
func TestMirrorTellsAllThatIsWrongAtOnce(t *testing.T) {
	_, problems := decodeWith(t, ownApplication().with(fields{
		"mirror_direction": "Sideways", "comment_tag_to": "same", "comment_tag_from": "Same", "close_reason_in": "Benign=Resolved",
		"close_reason_out": "Resolved=TruePositive/NotMalicious", "mirror_look_back": "61",
	}), noEnvironment)
	var got []string
	for _, problem := range problems {
		got = append(got, problem.Field)
	}
	want := []string{
		"Incident Mirroring Direction", "Tag for Comments from Defender", "Close Reasons by Classification", "Verdicts by Close Reason",
		"Mirroring look back (minutes)",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got the problems %q, want %q", got, want)
	}
	for _, text := range []string{"Resolved", "=TruePositive", "Resolved=", "Resolved=Benign", "Resolved=TruePositive/"} {
		if _, problems := decodeWith(t, ownApplication().with(fields{"close_reason_out": text}), noEnvironment); len(problems) != 1 {
			t.Errorf("close_reason_out %q: got the problems %v, want one", text, problems)
		}
	}
}

func TestReasonsAreTheSameHoweverTheyAreWritten(t *testing.T) {
	for _, text := range []string{"False Positive", "FalsePositive", "false-positive", "Resolved - False Positive"} {
		if got := params.ReasonKey(text); got != "falsepositive" {
			t.Errorf("%q: got %q, want falsepositive", text, got)
		}
	}
	if got := params.ReasonKey("Resolved"); got != "resolved" {
		t.Errorf("got %q, want resolved", got)
	}
}
