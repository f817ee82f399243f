package pack

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// cliSuffix ends the machine name of a copied incident field, which has letters and digits only.
const cliSuffix = "copy"

// copied renames everything that a pack brings, in the items and wherever an item names another, so that a copy shares no ID with the
// pack itself: whichever was uploaded last would replace what the other one needs. integration is the name of the integration, which
// the manifest of a copy ends already.
func copied(files map[string][]byte, integration string) map[string][]byte {
	names := []string{integration}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch text := string(files[name]); {
		case name == integrationPath:
		case path.Dir(name) == "IncidentFields":
			fields = append(fields, gjson.Get(text, "cliName").Str)
			names = append(names, gjson.Get(text, "name").Str)
		case path.Ext(name) == ".json":
			names = append(names, gjson.Get(text, "id").Str)
		default:
			names = append(names, line(text, "id"))
		}
	}
	// A name is one where it is a whole value, in JSON, in YAML, or in a query or a button within a text.
	whole := regexp.MustCompile(`(?m)("|: )(` + alternatives(names) + `)(\\?"|\|\|\||$)`)
	// A field is named alone, with the prefix of the server, within a query, or behind incident.
	machine := regexp.MustCompile(`(^|[^a-z])(` + alternatives(fields) + `)([^a-z]|$)`)
	all := map[string][]byte{}
	for name, text := range files {
		if name != integrationPath {
			text = whole.ReplaceAll(text, []byte("${1}${2}"+copySuffix+"${3}"))
			text = machine.ReplaceAll(text, []byte("${1}${2}"+cliSuffix+"${3}"))
			extension := path.Ext(name)
			name = strings.TrimSuffix(name, extension) + copySuffix + extension
		} else {
			for _, id := range []string{classifierID, incomingMapperID, outgoingMapperID} {
				text = bytes.ReplaceAll(text, []byte(": "+id+"\n"), []byte(": "+id+copySuffix+"\n"))
			}
		}
		all[name] = text
	}
	return all
}

// alternatives returns a pattern for any of some texts. Which comes first makes no difference where the end of the text is given.
func alternatives(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = regexp.QuoteMeta(text)
	}
	return strings.Join(quoted, "|")
}
