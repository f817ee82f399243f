package pack

import (
	"fmt"
	"strings"
)

// readme writes the page that the platform shows of the pack.
func readme(items []item) []byte {
	page := &strings.Builder{}
	page.WriteString("Gives the War Room its commands for Microsoft Defender for Endpoint and fetches alerts as incidents. The commands, " +
		"their arguments and context paths are those of the integration of the same name, so that existing playbooks and instances keep " +
		"working.\n\nThe integration runs in an image of its own, which must be reachable for the engine. The help of an instance's " +
		"settings explains every field and every way to sign in; `!microsoft-atp-test` says whether it worked.\n")
	heading := ""
	for _, one := range items {
		if one.kind.heading != heading {
			heading = one.kind.heading
			fmt.Fprintf(page, "\n## %s\n\n", heading)
		}
		fmt.Fprintf(page, "- **%s**%s\n", one.display, said(one))
	}
	return []byte(page.String())
}

// releaseNotes writes the notes of the version in the form that the platform shows them in:
// https://xsoar.pan.dev/docs/documentation/release-notes.
func (s Source) releaseNotes(items []item) []byte {
	page := &strings.Builder{}
	heading := ""
	for _, one := range items {
		if one.kind.heading != heading {
			heading = one.kind.heading
			fmt.Fprintf(page, "\n#### %s\n", heading)
		}
		note := "Comes with version " + s.Version + "."
		if one.kind.listed == "integration" {
			note = fmt.Sprintf("Runs version %s of xsoar-defender in the image *%s*.", s.Version, s.NamedImage())
		}
		fmt.Fprintf(page, "\n##### %s\n\n- %s\n", one.display, note)
	}
	return []byte(strings.TrimPrefix(page.String(), "\n"))
}

// said returns the text that follows the name of an item on the page of the pack.
func said(one item) string {
	if one.Description == "" {
		return ""
	}
	return ": " + one.Description
}
