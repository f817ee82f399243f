package pack

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

const integrationPath = "Integrations/integration-MicrosoftDefenderAdvancedThreatProtection.yml"

// kind is a kind of content items.
type kind struct {
	// folder is where items of the kind are in a pack, and prefix the beginning of their names.
	folder, prefix string
	// listed is the key under which metadata.json lists them, and shown the platform's word for one of them
	// (content_graph/common.py of demisto-sdk, metadata_name and metadata_display_name).
	listed, shown string
	// heading is over them on the pages of the pack.
	heading string
}

// kinds returns those of the pack, in the order of its pages. Of two prefixes of one folder the longer comes first.
func kinds() []kind {
	return []kind{
		{"Integrations", "integration-", "integration", "Integration", "Integrations"},
		{"IncidentTypes", "incidenttype-", "incidenttype", "Incident Type", "Incident Types"},
		{"IncidentFields", "incidentfield-", "incidentfield", "Incident Field", "Incident Fields"},
		{"Layouts", "layoutscontainer-", "layoutscontainer", "Layouts Container", "Layouts"},
		{"Dashboards", "dashboard-", "dashboard", "Dashboard", "Dashboards"},
		{"Classifiers", "classifier-mapper-", "classifier", "Classifier", "Mappers"},
		{"Classifiers", "classifier-", "classifier", "Classifier", "Classifiers"},
		{"Playbooks", "playbook-", "playbook", "Playbook", "Playbooks"},
	}
}

// KindError reports a file of the pack that is of no kind that the pack has: its folder or the beginning of its name is unknown.
type KindError struct{ Path string }

func (e *KindError) Error() string {
	return "the file " + e.Path + " is not of a kind that our packs have"
}

// item is a content item as metadata.json describes it (content_graph/objects/content_item.py of demisto-sdk, summary).
type item struct {
	kind        kind
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	FromVersion string    `json:"fromversion"`
	ToVersion   string    `json:"toversion"`
	Deprecated  bool      `json:"deprecated"`
	Commands    []command `json:"commands,omitempty"`

	// display is the name that people read.
	display string
}

type command struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Deprecated  bool   `json:"deprecated"`
}

// items describes the files of the pack as metadata.json and its pages list them, in the order of the kinds and of their
// paths. An item without a name returns a *ManifestError.
func (s Source) items(files map[string][]byte) ([]item, error) {
	var items []item
	for _, name := range slices.Sorted(maps.Keys(files)) {
		at := slices.IndexFunc(kinds(), func(one kind) bool {
			return one.folder == path.Dir(name) && strings.HasPrefix(path.Base(name), one.prefix)
		})
		if at < 0 {
			return nil, &KindError{name}
		}
		read := item{kind: kinds()[at]}
		if text := string(files[name]); path.Ext(name) == ".json" {
			read.ID, read.Name = gjson.Get(text, "id").Str, gjson.Get(text, "name").Str
			read.Description, read.FromVersion = gjson.Get(text, "description").Str, gjson.Get(text, "fromVersion").Str
		} else {
			read.Name = line(text, "name")
			read.ID, read.Description = cmp.Or(line(text, "id"), read.Name), line(text, "description")
			read.FromVersion = cmp.Or(line(text, "fromversion"), serverMinVersion)
		}
		read.display = cmp.Or(line(string(files[name]), "display"), read.Name)
		if read.Name == "" {
			return nil, &ManifestError{"name"}
		}
		if name == integrationPath {
			read.Commands = s.listed()
		}
		items = append(items, read)
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Compare(slices.Index(kinds(), a.kind), slices.Index(kinds(), b.kind))
	})
	return items, nil
}

// listed are the commands that analysts see.
func (s Source) listed() []command {
	var listed []command
	for _, one := range s.Commands {
		if !one.Platform {
			listed = append(listed, command{one.Name, one.Help, one.Deprecated != ""})
		}
	}
	return listed
}

// line returns the value of a key of a YAML mapping if it is on one line, as text without quotes. The files of the
// pack are our own, and a test checks that each can be read so.
func line(text, key string) string {
	_, rest, _ := strings.Cut("\n"+text, "\n"+key+": ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
