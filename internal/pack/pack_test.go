package pack_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/internal/manifest/manifesttest"
	"xsoar-defender/internal/pack"
)

const (
	integrationPath = "Integrations/integration-MicrosoftDefenderAdvancedThreatProtection.yml"
	classifierPath  = "Classifiers/classifier-Defender_-_Classifier.json"
	mapperPath      = "Classifiers/classifier-mapper-Defender_-_Incoming_mapper.json"
	outgoingPath    = "Classifiers/classifier-mapper-Defender_-_Outgoing_mapper.json"
	typePath        = "IncidentTypes/incidenttype-Microsoft_Defender_For_Endpoint.json"
	collectPath     = "Playbooks/playbook-Defender_-_Collect_an_investigation_package.yml"
	huntPath        = "Playbooks/playbook-Defender_-_Hunt_a_file_hash.yml"
	isolatePath     = "Playbooks/playbook-Defender_-_Isolate_a_machine_after_confirmation.yml"
)

// source is that of the repository.
func source(t *testing.T) pack.Source {
	t.Helper()
	text, err := os.ReadFile("../../integration.yml")
	if err != nil {
		t.Fatal(err)
	}
	return pack.Source{Manifest: string(text), Commands: commands.NewRegistry().All(), Image: "registry.example:5000/xsoar-defender:1.2.3", Version: "1.2.3"}
}

// unpack returns the names in a pack in their order, and what is under them.
func unpack(t *testing.T, of pack.Source) (names []string, files map[string]string) {
	t.Helper()
	text, err := of.Zip()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, one := range archive.File {
		file, err := one.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		names, files[one.Name] = append(names, one.Name), string(content)
	}
	return names, files
}

func TestPackHasTheLayoutOfAnUpload(t *testing.T) {
	names, _ := unpack(t, source(t))
	var want []string
	for folder, items := range map[string][]string{
		"Classifiers/classifier-":       {"Defender_-_Classifier", "mapper-Defender_-_Incoming_mapper", "mapper-Defender_-_Outgoing_mapper"},
		"Dashboards/dashboard-":         {"Defender"},
		"IncidentFields/incidentfield-": {"Defender_Alerts", "Defender_Classification", "Defender_Determination", "Defender_Evidence", "Defender_Isolated", "Defender_Last_Update", "Defender_Machines", "Defender_Merged_Into", "Defender_Open_Alerts", "Defender_Status", "Defender_Tags", "Defender_Total_Alerts", "Defender_Users"},
		"IncidentTypes/incidenttype-":   {"Microsoft_Defender_For_Endpoint", "Microsoft_Defender_XDR_Incident"},
		"Layouts/layoutscontainer-":     {"Defender_-_Alert_layout", "Defender_-_XDR_incident_layout"},
	} {
		for _, item := range items {
			want = append(want, folder+item+".json")
		}
	}
	for _, playbook := range []string{"Close_as_false_positive", "Collect_an_investigation_package", "Contain_a_machine_and_its_users", "Hunt_a_file_hash", "Isolate_a_machine_after_confirmation", "Sweep_an_indicator", "Triage_an_alert", "Weekly_exposure_report"} {
		want = append(want, "Playbooks/playbook-Defender_-_"+playbook+".yml")
	}
	want = append(want, integrationPath, "README.md", "ReleaseNotes/1_2_3.md", "metadata.json", "pack_metadata.json")
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got the files %q, want %q", names, want)
	}
}

func TestSameSourceGivesTheSameBytes(t *testing.T) {
	first, err := source(t).Zip()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := source(t).Zip(); err != nil || !bytes.Equal(first, second) {
		t.Errorf("a second pack of the same source is another one, or failed: %v", err)
	}
	other := source(t)
	other.Version = "1.2.4"
	if third, err := other.Zip(); err != nil || bytes.Equal(first, third) {
		t.Errorf("a pack of another version is the same one, or failed: %v", err)
	}
	archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		if earliest := time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC); !file.Modified.Equal(earliest) {
			t.Errorf("%s: got the time %s, want %s, whenever it is packed", file.Name, file.Modified, earliest)
		}
	}
}

func TestIntegrationFollowsTheSchemaAndNamesTheImage(t *testing.T) {
	schema := manifesttest.ReadSchema(t, "../../test_data/xsoar-integration-schema.yml")
	alone, err := source(t).Integration()
	if err != nil {
		t.Fatal(err)
	}
	_, files := unpack(t, source(t))
	type integration struct {
		Script struct {
			DockerImage string `yaml:"dockerimage"`
		} `yaml:"script"`
		Classifier string `yaml:"defaultclassifier"`
		Mapper     string `yaml:"defaultmapperin"`
		Outgoing   string `yaml:"defaultmapperout"`
	}
	for name, text := range map[string]string{"alone": string(alone), "in the pack": files[integrationPath]} {
		for _, problem := range schema.Problems(t, []byte(text)) {
			t.Errorf("%s: %s", name, problem)
		}
		var read integration
		if err := yaml.Unmarshal([]byte(text), &read); err != nil {
			t.Fatal(err)
		}
		if got, want := read.Script.DockerImage, source(t).Image; got != want {
			t.Errorf("%s: got the image %q, want %q", name, got, want)
		}
		// Alone it must not name what is only in the pack.
		if inPack := name == "in the pack"; inPack != (read.Classifier == gjson.Get(files[classifierPath], "id").Str) ||
			inPack != (read.Mapper == gjson.Get(files[mapperPath], "id").Str) || inPack != (read.Outgoing == gjson.Get(files[outgoingPath], "id").Str) {
			t.Errorf("%s: got the classifier %q and the mappers %q and %q", name, read.Classifier, read.Mapper, read.Outgoing)
		}
	}
}

func TestIntegrationKeepsTheManifestWithoutAnImage(t *testing.T) {
	of := source(t)
	of.Image = ""
	got, err := of.Integration()
	if err != nil || string(got) != of.Manifest {
		t.Errorf("the integration is not the manifest, or failed: %v", err)
	}
	if want := "xsoar-defender/runtime:devel"; of.NamedImage() != want {
		t.Errorf("got the image %q, want %q", of.NamedImage(), want)
	}
}

// TestCopyStandsBesideTheOriginal wants nothing in a copy that the Marketplace's pack has under the same ID.
func TestCopyStandsBesideTheOriginal(t *testing.T) {
	of := source(t)
	of.Copy = true
	_, files := unpack(t, of)
	var read struct {
		CommonFields struct{ ID string }
		Name         string
		Display      string
	}
	if err := yaml.Unmarshal([]byte(files[integrationPath]), &read); err != nil {
		t.Fatal(err)
	}
	const id = "Microsoft Defender Advanced Threat Protection_copy"
	if read.CommonFields.ID != id || read.Name != id || read.Display != "Microsoft Defender for Endpoint_copy" {
		t.Errorf("got the ID %q, the name %q and the display name %q, want copies", read.CommonFields.ID, read.Name, read.Display)
	}
	if got := gjson.Get(files["metadata.json"], "contentItems.integration.0.id").Str; got != id {
		t.Errorf("metadata.json tells the integration %q, want %q", got, id)
	}
	for _, original := range []string{collectPath, huntPath, isolatePath} {
		name := strings.TrimSuffix(original, ".yml") + "_copy.yml"
		all, copies := strings.Count(files[name], "Microsoft Defender Advanced Threat Protection"), strings.Count(files[name], id)
		if all == 0 || all != copies {
			t.Errorf("%s names the integration %d times, and %d times the copy", name, all, copies)
		}
	}
	original, _ := source(t).Integration()
	copied, err := of.Integration()
	if changed := len(copied) - len(original); err != nil || changed != 3*len("_copy") {
		t.Errorf("the integration of a copy is %d bytes longer, want that of three endings: %v", changed, err)
	}
}

func TestVersionOfAPackIsThreeNumbers(t *testing.T) {
	for program, want := range map[string]string{
		"1.2.3": "1.2.3", "10.20.30-rc.1": "10.20.30", "0.0.0-20261124093000-9856dac8a1f2+dirty": "0.0.0",
		"devel": "0.0.0", "": "0.0.0", "1.2": "0.0.0",
	} {
		if got := pack.Version(program); got != want {
			t.Errorf("%q: got %s, want %s", program, got, want)
		}
	}
}

func TestImagesAreNamedInEveryForm(t *testing.T) {
	for _, image := range []string{"a:1", "xsoar-defender/runtime:devel", "localhost:5000/a/b:1.0.0-rc.1", "registry.example/a@sha256:" + strings.Repeat("0123abcd", 8)} {
		of := source(t)
		of.Image = image
		if got, err := of.Integration(); err != nil || !strings.Contains(string(got), "\n  dockerimage: "+image+"\n") {
			t.Errorf("%s is not named, or refused: %v", image, err)
		}
	}
}

func TestWrongChoicesAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*pack.Source)
		typed  func(error) bool
	}{
		{"an image with a space", func(s *pack.Source) { s.Image = "a b" }, is[*pack.ImageError]},
		{"an image that would end the line", func(s *pack.Source) { s.Image = "a:1\nhidden: true" }, is[*pack.ImageError]},
		{"an image without a tag", func(s *pack.Source) { s.Image = "registry.example/a" }, is[*pack.ImageError]},
		{"an image with an empty tag", func(s *pack.Source) { s.Image = "a:" }, is[*pack.ImageError]},
		{"an image that is a comment", func(s *pack.Source) { s.Image = "#a" }, is[*pack.ImageError]},
		{"a version of two numbers", func(s *pack.Source) { s.Version = "1.0" }, is[*pack.VersionError]},
		{"a version that leaves the folder", func(s *pack.Source) { s.Version = "../1.0.0" }, is[*pack.VersionError]},
		{"a manifest without an image", func(s *pack.Source) { s.Manifest = "name: a\n" }, is[*pack.ManifestError]},
		{"a manifest without a name", func(s *pack.Source) { s.Manifest = "script:\n  dockerimage: a\n" }, is[*pack.ManifestError]},
	} {
		t.Run(test.name, func(t *testing.T) {
			of := source(t)
			test.change(&of)
			if _, err := of.Zip(); !test.typed(err) {
				t.Errorf("got the error %v, want another type", err)
			}
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestMetadataHasWhatThePlatformReads wants the keys that demisto-sdk's schema of pack_metadata.json requires, in both
// files.
func TestMetadataHasWhatThePlatformReads(t *testing.T) {
	_, files := unpack(t, source(t))
	for _, name := range []string{"pack_metadata.json", "metadata.json"} {
		text := files[name]
		for key, want := range map[string]string{
			"name": "String", "description": "String", "support": "String", "currentVersion": "String", "author": "String",
			"url": "String", "email": "String", "created": "String", "tags": "JSON", "categories": "JSON", "useCases": "JSON",
			"keywords": "JSON", "dependencies": "JSON", "marketplaces": "JSON", "serverMinVersion": "String",
		} {
			if got := gjson.Get(text, key).Type.String(); got != want {
				t.Errorf("%s: %s is %s, want %s", name, key, got, want)
			}
		}
		if got := gjson.Get(text, "currentVersion").Str; got != "1.2.3" {
			t.Errorf("%s: got the version %s, want 1.2.3", name, got)
		}
	}
}

// TestMetadataTellsEveryItem compares what metadata.json says of an item with the item.
func TestMetadataTellsEveryItem(t *testing.T) {
	names, files := unpack(t, source(t))
	type told struct{ ID, Name, Description, FromVersion string }
	var want []told
	for _, name := range names {
		switch path.Dir(name) {
		case ".", "ReleaseNotes":
			continue
		}
		var read struct {
			ID, Name, Display, Description, FromVersion string
			CommonFields                                struct{ ID string }
		}
		unmarshal := map[string]func([]byte, any) error{".json": json.Unmarshal, ".yml": yaml.Unmarshal}[path.Ext(name)]
		if err := unmarshal([]byte(files[name]), &read); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if read.ID == "" {
			read.ID, read.FromVersion = read.CommonFields.ID, "6.5.0"
		}
		want = append(want, told{read.ID, read.Name, read.Description, read.FromVersion})
		for _, page := range []string{"README.md", "ReleaseNotes/1_2_3.md"} {
			if shown := cmp.Or(read.Display, read.Name); !strings.Contains(files[page], shown) {
				t.Errorf("%s does not tell %s", page, shown)
			}
		}
	}
	var got []told
	gjson.Get(files["metadata.json"], "contentItems").ForEach(func(_, items gjson.Result) bool {
		for _, one := range items.Array() {
			got = append(got, told{one.Get("id").Str, one.Get("name").Str, one.Get("description").Str, one.Get("fromversion").Str})
		}
		return true
	})
	for _, one := range want {
		if !slices.Contains(got, one) {
			t.Errorf("metadata.json does not tell %+v", one)
		}
	}
	if len(got) != len(want) {
		t.Errorf("metadata.json tells %d items, want %d", len(got), len(want))
	}
	listed := gjson.Get(files["metadata.json"], "contentItems.integration.0.commands.#.name").Array()
	for _, one := range commands.NewRegistry().All() {
		known := slices.ContainsFunc(listed, func(name gjson.Result) bool { return name.Str == one.Name })
		if known == one.Platform {
			t.Errorf("metadata.json lists the command %s: %t, want %t", one.Name, known, !one.Platform)
		}
	}
}

func TestImageIsAReference(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for image, want := range map[string]bool{
		"xsoar-defender/runtime:1.0.0": true, "registry.example/xsoar-defender:1.0.0": true, "registry.example:5000/a/b_c:x-Y_1.2": true,
		"localhost:5000/a" + digest: true, "a:1" + digest: true,
		"a:b:": false, "a:": false, "a": false, "a:b c": false, "a:b\n": false, "a: b": false, "a//b:c": false, "a:b#c": false, "A/B:c": false, "a@sha256:00": false, ":b": false, "a:b/": false,
	} {
		source := pack.Source{Manifest: "name: x\ndisplay: x\ncommonfields:\n  id: x\nscript:\n  dockerimage: y:z\n", Image: image, Version: "1.0.0"}
		_, err := source.Integration()
		if _, refused := errors.AsType[*pack.ImageError](err); refused == want {
			t.Errorf("%q: got %v, want it accepted: %t", image, err, want)
		}
	}
}

// TestPagesListTheItemsUnderTheHeadingsOfTheirKinds compares the outline of both pages with the kinds.
func TestPagesListTheItemsUnderTheHeadingsOfTheirKinds(t *testing.T) {
	_, files := unpack(t, source(t))
	readme, notes := files["README.md"], files["ReleaseNotes/1_2_3.md"]
	want := []string{"Integrations", "Incident Types", "Incident Fields", "Layouts", "Dashboards", "Mappers", "Classifiers", "Playbooks"}
	for page, mark := range map[string]string{readme: "## ", notes: "#### "} {
		var got []string
		for line := range strings.Lines(page) {
			if heading, ok := strings.CutPrefix(line, mark); ok {
				got = append(got, strings.TrimSpace(heading))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got the headings %q, want %q", got, want)
		}
	}
	for page, parts := range map[string][]string{
		readme: {"\n\n## Integrations\n\n- **Microsoft Defender for Endpoint**: Reads ", "- **Microsoft Defender XDR Incident**\n\n## Incident Fields\n\n- **Defender Alerts**: The alerts that belong to it.\n- "},
		notes: {
			"#### Integrations\n\n##### Microsoft Defender for Endpoint\n\n- Runs version 1.2.3 of xsoar-defender in the image *registry.example:5000/xsoar-defender:1.2.3*.\n\n#### Incident Types\n",
			"\n\n##### Microsoft Defender XDR Incident\n\n- Comes with version 1.2.3.\n\n#### Incident Fields\n\n##### Defender Alerts\n\n",
		},
	} {
		for _, part := range parts {
			if !strings.Contains(page, part) {
				t.Errorf("got the page\n%s\nwant in it\n%s", page, part)
			}
		}
	}
	if !strings.HasPrefix(notes, "#### Integrations\n") || strings.Contains(notes, "\n\n\n") || strings.Contains(readme, "\n\n\n") {
		t.Errorf("got the pages\n%s\n%s\nwant neither to have two empty lines", readme, notes)
	}
}

// TestMetadataCountsKindsAndNamesOtherPacks is about the words and the packs that the platform shows before an upload.
func TestMetadataCountsKindsAndNamesOtherPacks(t *testing.T) {
	_, files := unpack(t, source(t))
	server, repository := files["metadata.json"], files["pack_metadata.json"]
	for path, want := range map[string]string{
		"contentDisplays.integration": "Integration", "contentDisplays.dashboard": "Dashboard", "contentDisplays.incidenttype": "Incident Types",
		"contentDisplays.layoutscontainer": "Layouts Containers", "contentDisplays.classifier": "Classifiers", "contentDisplays.playbook": "Playbooks",
		"dependencies.CommonTypes": `{"mandatory":true,"minVersion":"","author":"Cortex XSOAR","name":"Common Types","certification":"certified"}`,
		"id":                       "XsoarDefender", "supportDetails": "{}",
	} {
		if got := gjson.Get(server, path); got.Type == gjson.String && got.Str != want || got.Type != gjson.String && string(compact(t, got.Raw)) != want {
			t.Errorf("metadata.json: got %s %s, want %s", path, got.Raw, want)
		}
	}
	if got, want := string(compact(t, gjson.Get(repository, "dependencies.CommonScripts").Raw)), `{"mandatory":true,"display_name":"Common Scripts"}`; got != want {
		t.Errorf("pack_metadata.json: got the dependency %s, want %s", got, want)
	}
	if !strings.HasPrefix(repository, "{\n    \"name\"") || !strings.HasSuffix(repository, "}\n") {
		t.Errorf("got %q, want lines as the platform's repository has them", repository)
	}
}

func compact(t *testing.T, text string) []byte {
	t.Helper()
	var short bytes.Buffer
	if err := json.Compact(&short, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return short.Bytes()
}

// TestDeprecatedCommandsAreMarked wants the platform to strike through what playbooks should no longer use.
func TestDeprecatedCommandsAreMarked(t *testing.T) {
	of := source(t)
	of.Commands = []commands.Command{{Name: "a", Help: "Does a."}, {Name: "b", Help: "Does b.", Deprecated: "a"}, {Name: "c", Platform: true}}
	_, files := unpack(t, of)
	const want = `[{"name":"a","description":"Does a.","deprecated":false},{"name":"b","description":"Does b.","deprecated":true}]`
	if got := string(compact(t, gjson.Get(files["metadata.json"], "contentItems.integration.0.commands").Raw)); got != want {
		t.Errorf("got the commands %s, want %s", got, want)
	}
}

func TestRefusalsSayWhatToWrite(t *testing.T) {
	for want, err := range map[string]error{
		"the manifest of the integration has no display": func() error {
			_, err := pack.Source{Manifest: "name: x\ncommonfields:\n  id: x\nscript:\n  dockerimage: y:z\n", Version: "1.0.0", Copy: true}.Integration()
			return err
		}(),
		"the manifest of the integration has no dockerimage": func() error {
			_, err := pack.Source{Manifest: "script:\n  dockerimage: y:z", Version: "1.0.0"}.Integration() // the line does not end
			return err
		}(),
		`"a" is not the name of an image: write it as NAME:TAG, with its registry where it needs one`: &pack.ImageError{Image: "a"},
		`"1" is not the version of a pack: write three numbers, such as 1.0.0`:                        &pack.VersionError{Version: "1"},
		"the file a/b is not of a kind that our packs have":                                           &pack.KindError{Path: "a/b"},
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
