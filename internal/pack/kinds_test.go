package pack

import (
	"errors"
	"testing"
)

// TestFilesOfNoKindAreRefused has what the folder of the content must not hold.
func TestFilesOfNoKindAreRefused(t *testing.T) {
	for _, name := range []string{"Scripts/script-A.yml", "Playbooks/a.yml", "playbook-A.yml", "Dashboards/playbook-A.json"} {
		_, err := Source{}.items(map[string][]byte{name: []byte("name: A\n")})
		if refused, ok := errors.AsType[*KindError](err); !ok || refused.Path != name {
			t.Errorf("%s: got %v, want a KindError that names it", name, err)
		}
	}
	_, err := Source{}.items(map[string][]byte{"Playbooks/playbook-A.yml": []byte("id: A\n")})
	if refused, ok := errors.AsType[*ManifestError](err); !ok || refused.Key != "name" {
		t.Errorf("without a name: got %v, want a ManifestError that names the key", err)
	}
}

// TestItemsTellWhatTheirFilesSay has files with and without the keys that may be absent.
func TestItemsTellWhatTheirFilesSay(t *testing.T) {
	got, err := Source{}.items(map[string][]byte{
		"Playbooks/playbook-A.yml":                []byte("id: a\nname: A\ndescription: Does.\nfromversion: 6.6.0\n"),
		"Playbooks/playbook-B.yml":                []byte("name: B\ndisplay: Shown\n"),
		"Dashboards/dashboard-C.json":             []byte(`{"id": "c", "name": "C", "description": "Shows.", "fromVersion": "6.10.0"}`),
		"Classifiers/classifier-mapper-D.json":    []byte(`{"id": "d", "name": "D"}`),
		"Classifiers/classifier-A_Dashboard.json": []byte(`{"id": "e", "name": "E"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	type told struct{ heading, id, name, description, from, display string }
	want := []told{
		{"Dashboards", "c", "C", "Shows.", "6.10.0", "C"},
		{"Mappers", "d", "D", "", "", "D"},
		{"Classifiers", "e", "E", "", "", "E"},
		{"Playbooks", "a", "A", "Does.", "6.6.0", "A"},
		{"Playbooks", "B", "B", "", "6.5.0", "Shown"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, one := range got {
		if said := (told{one.kind.heading, one.ID, one.Name, one.Description, one.FromVersion, one.display}); said != want[i] {
			t.Errorf("got %+v, want %+v", said, want[i])
		}
	}
}

// TestACopyRenamesWhatItemsSayOfEachOther has every place in which an item names another one, or a field.
func TestACopyRenamesWhatItemsSayOfEachOther(t *testing.T) {
	got := copied(map[string][]byte{
		integrationPath:                       []byte("name: Ours_copy\ndefaultmapperin: " + incomingMapperID + "\ndefaultclassifier: " + classifierID + "\ndefaultmapperout: " + outgoingMapperID + "\n"),
		"IncidentFields/incidentfield-F.json": []byte(`{"id": "incident_ourfield", "cliName": "ourfield", "name": "Our Field"}`),
		"IncidentFields/incidentfield-G.json": []byte(`{"id": "incident_ourfieldmore", "cliName": "ourfieldmore", "name": "Our Field More"}`),
		"Dashboards/dashboard-D.json":         []byte(`{"id": "Dash", "name": "Dash", "query": "type:\"Dash\" and ourfield:x", "other": "Dashes, and yourfield"}`),
		"Playbooks/playbook-P.yml":            []byte("id: Play\nname: Play\nscript: Ours|||command\nfields:\n  ourfieldmore: x\nplaybookName: Play\ndescription: Play it.\n"),
	}, "Ours")
	want := map[string]string{
		integrationPath: "name: Ours_copy\ndefaultmapperin: " + incomingMapperID + "_copy\ndefaultclassifier: " + classifierID + "_copy\ndefaultmapperout: " + outgoingMapperID + "_copy\n",
		"IncidentFields/incidentfield-F_copy.json": `{"id": "incident_ourfieldcopy", "cliName": "ourfieldcopy", "name": "Our Field_copy"}`,
		"IncidentFields/incidentfield-G_copy.json": `{"id": "incident_ourfieldmorecopy", "cliName": "ourfieldmorecopy", "name": "Our Field More_copy"}`,
		"Dashboards/dashboard-D_copy.json":         `{"id": "Dash_copy", "name": "Dash_copy", "query": "type:\"Dash_copy\" and ourfieldcopy:x", "other": "Dashes, and yourfield"}`,
		"Playbooks/playbook-P_copy.yml":            "id: Play_copy\nname: Play_copy\nscript: Ours_copy|||command\nfields:\n  ourfieldmorecopy: x\nplaybookName: Play_copy\ndescription: Play it.\n",
	}
	for name, text := range want {
		if string(got[name]) != text {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d files, want %d", len(got), len(want))
	}
}
