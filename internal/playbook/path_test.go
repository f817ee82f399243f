package playbook

import (
	"slices"
	"strings"
	"testing"
)

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ expression, want string }{
		{"MicrosoftATP.Machine.ID", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP", "MicrosoftATP"},
		{" MicrosoftATP.Machine.ID } and more", "MicrosoftATP.Machine.ID"},
		// Conditions and positions choose among the objects at a path.
		{`MicrosoftATP.Machine(val.ID=="x").ID}`, "MicrosoftATP.Machine.ID"},
		{`MicrosoftATP.Machine(val.ID=="a)b" && (val.Tag == ')')).ID}`, "MicrosoftATP.Machine.ID"},
		{`MicrosoftATP.Machine(val.Name == "say \")\"").ID}`, "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine.[0].ID}", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine[0].ID}", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine.0.ID}", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine.(val.ID).[1]}", "MicrosoftATP.Machine"},
		{"MicrosoftATP.Machine(val.ID", "MicrosoftATP.Machine"},
		{"MicrosoftATP.Machine((val.ID)).ID}", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine(val.Name == `)`).ID}", "MicrosoftATP.Machine.ID"},
		{`MicrosoftATP.Machine(val.Path == "\\").ID}`, "MicrosoftATP.Machine.ID"},
		{`MicrosoftATP.Machine(\).ID}`, "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine|uniq", "MicrosoftATP.Machine"},
		{"MicrosoftATP.Machine,MicrosoftATP.Other", "MicrosoftATP.Machine"},
		{"MicrosoftATP.Machine\nand more", "MicrosoftATP.Machine"},
		{"MicrosoftATP .Machine", "MicrosoftATP"},
		{"MicrosoftATP. Machine", "MicrosoftATP"},
		// Of an endless expression only the beginning is read.
		{"MicrosoftATP.Machine(" + strings.Repeat("x", longestExpression-len("MicrosoftATP.Machine().ID")) + ").ID", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine(" + strings.Repeat("x", longestExpression-len("MicrosoftATP.Machine().I")) + ").ID", "MicrosoftATP.Machine.I"},
		// What follows a "=" is JavaScript.
		{"MicrosoftATP.Machine.ID=val.toUpperCase()}", "MicrosoftATP.Machine.ID"},
		{"MicrosoftATP.Machine.=val.ID}", "MicrosoftATP.Machine"},
		{"MicrosoftATP.Machine.ID == 'x'", "MicrosoftATP.Machine.ID"},
		// Paths outside the root are of no interest.
		{"=val.MicrosoftATP.Machine}", ""},
		{"inputs.MicrosoftATP}", ""},
		{"MicrosoftATPX.Machine}", ""},
		{"microsoftatp.Machine}", ""},
		{"File.Name}", ""},
		{"", ""},
	} {
		got, ok := ownPath(test.expression)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%q: got %q %t, want %q", test.expression, got, ok, test.want)
		}
	}
}

func TestTemplatesOfAText(t *testing.T) {
	t.Parallel()
	got := slices.Collect(templates("a ${b} and ${c ${d}"))
	if want := []string{"b} and ${c ${d}", "c ${d}", "d}"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for one := range templates("${a} ${b}") {
		if one != "a} ${b}" {
			t.Errorf("got %q after the loop has ended, want the first alone", one)
		}
		break
	}
}
