package commands

import (
	"strings"
	"testing"

	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/warroom"
)

func TestADiagnosisShowsThePermissionsAsFarAsTheyAreKnown(t *testing.T) {
	gap := []diagnosis.Gap{{Command: "microsoft-atp-isolate-machine", Missing: "Machine.Isolate"}}
	const unreadable = "The access token cannot be read, so its permissions are not known."
	for name, test := range map[string]struct {
		found           diagnosis.Diagnosis
		want, otherwise []string
	}{
		"unknown":     {diagnosis.Diagnosis{Gaps: gap}, nil, []string{unreadable, "Permissions of the token", "microsoft-atp-isolate-machine"}},
		"unreadable":  {diagnosis.Diagnosis{Unreadable: true}, []string{unreadable}, []string{"Permissions of the token"}},
		"none":        {diagnosis.Diagnosis{Known: true, Gaps: gap}, []string{"Permissions of the token: none.", "microsoft-atp-isolate-machine", "Machine.Isolate"}, []string{unreadable}},
		"all of them": {diagnosis.Diagnosis{Known: true, Held: []string{"A", "B"}}, []string{"Permissions of the token: A, B.", "The permissions cover every command."}, nil},
	} {
		text := warroom.Markdown(DiagnosisEntry(&test.found).Blocks)
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: got\n%s\nwant it to say %q", name, text, want)
			}
		}
		for _, other := range test.otherwise {
			if strings.Contains(text, other) {
				t.Errorf("%s: got\n%s\nwant it not to say %q", name, text, other)
			}
		}
	}
}
