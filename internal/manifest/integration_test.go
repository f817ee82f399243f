package manifest_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"xsoar-defender/commands"
	"xsoar-defender/internal/manifest"
	"xsoar-defender/internal/manifest/manifesttest"
	"xsoar-defender/params"
)

const schemaPath = "../../test_data/xsoar-integration-schema.yml"

// integration is the manifest as tests read it.
type integration struct {
	CommonFields struct {
		ID string `yaml:"id"`
	} `yaml:"commonfields"`
	Name          string `yaml:"name"`
	Configuration []struct {
		Name, Display string
		Type          int
		Hidden        bool
		DefaultValue  string   `yaml:"defaultvalue"`
		Options       []string `yaml:"options"`
	} `yaml:"configuration"`
	Script struct {
		Script      string            `yaml:"script"`
		DockerImage string            `yaml:"dockerimage"`
		IsFetch     bool              `yaml:"isfetch"`
		IsMappable  bool              `yaml:"ismappable"`
		SyncIn      bool              `yaml:"isremotesyncin"`
		SyncOut     bool              `yaml:"isremotesyncout"`
		Commands    []manifestCommand `yaml:"commands"`
	} `yaml:"script"`
	Help  string `yaml:"detaileddescription"`
	Image string `yaml:"image"`
}

type manifestCommand struct {
	Name, Description              string
	Execution, Polling, Deprecated bool
	Arguments                      []manifestArgument
	Policies                       []string `yaml:"compliantpolicies"`
	Outputs                        []struct {
		ContextPath string `yaml:"contextPath"`
		Description string
		Type        string
	}
}

type manifestArgument struct {
	Name, Description, Auto   string
	Required, Hidden, Default bool
	IsArray                   bool   `yaml:"isArray"`
	DefaultValue              string `yaml:"defaultValue"`
	Predefined                []string
}

// written returns the manifest of all commands, as text and read.
func written(t *testing.T) ([]byte, integration) {
	t.Helper()
	text, err := manifest.Integration("example/image:1", commands.NewRegistry().All(), params.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	var read integration
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return text, read
}

func TestManifestFollowsTheSchema(t *testing.T) {
	text, _ := written(t)
	for _, problem := range manifesttest.ReadSchema(t, schemaPath).Problems(t, text) {
		t.Error(problem)
	}
}

func TestSchemaRefusesWhatThePlatformWould(t *testing.T) {
	const good = `
commonfields: {id: a, version: -1}
name: a
display: a
category: a
description: a
configuration: [{name: a, type: 0}]
script: {type: python, script: a, commands: [{name: a, description: a, arguments: [{name: a, description: a, prettypredefined: {any: a}}]}]}
`
	rules := manifesttest.ReadSchema(t, schemaPath)
	if problems := rules.Problems(t, []byte(good)); len(problems) > 0 {
		t.Fatalf("the smallest manifest: got %q, want no problem", problems)
	}
	for _, test := range []struct{ name, from, to, want string }{
		{"a key that is missing", "display: a", "", "/display: is missing"},
		{"a key that is not known", "display: a", "display: a\nicon: a", "/icon: is not known"},
		{"a number instead of text", "category: a", "category: 5", "/category: is int, want str"},
		{"text instead of a number", "type: 0", `type: "0"`, "/configuration/0/type: is str, want int"},
		{"a value that is not offered", "python", "go", "/script/type: is go, want one of [javascript python powershell]"},
		{"an item of a list", "{name: a, description: a, arguments", "{name: a, arguments", "/script/commands/0/description: is missing"},
		{"a value under any key", "any: a", "any: true", "/script/commands/0/arguments/0/prettypredefined/any: is bool, want str"},
		{"an object instead of a list", "[{name: a, type: 0}]", "{name: a}", "/configuration: is map, want seq"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := rules.Problems(t, []byte(strings.Replace(good, test.from, test.to, 1)))
			if !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestManifestKeepsTheIdentityOfExistingInstances(t *testing.T) {
	_, read := written(t)
	const want = "Microsoft Defender Advanced Threat Protection"
	if read.CommonFields.ID != want || read.Name != want {
		t.Errorf("got the ID %q and the name %q, want %q", read.CommonFields.ID, read.Name, want)
	}
}

func TestManifestNamesTheImage(t *testing.T) {
	_, read := written(t)
	if read.Script.DockerImage != "example/image:1" {
		t.Errorf("got the image %q, want the one that was asked for", read.Script.DockerImage)
	}
	if strings.Contains(read.Script.Script, "\n") {
		t.Errorf("got the script %q, want one line", read.Script.Script)
	}
	if !read.Script.IsMappable || !read.Script.SyncIn || !read.Script.SyncOut {
		t.Error("got an integration that cannot mirror, want one that can in both directions")
	}
	if !read.Script.IsFetch {
		t.Error("the platform is not told that incidents can be fetched")
	}
	if name, _, _ := strings.Cut(manifest.DevelopmentImage, "/"); strings.ContainsAny(name, ".:") {
		t.Errorf("the image %q names a host", manifest.DevelopmentImage)
	}
}

func TestManifestHasEveryParameter(t *testing.T) {
	_, read := written(t)
	declared := params.Parameters()
	if len(read.Configuration) != len(declared) {
		t.Fatalf("got %d parameters, want %d", len(read.Configuration), len(declared))
	}
	for i, want := range declared {
		got := read.Configuration[i]
		if got.Name != want.Name || got.Display != want.Display || got.Type != want.Type || got.Hidden != want.Hidden ||
			got.DefaultValue != want.Default || !slices.Equal(got.Options, want.Options) {
			t.Errorf("got the parameter %+v, want %+v", got, want)
		}
	}
}

func TestManifestListsWhatAnalystsCanRun(t *testing.T) {
	_, read := written(t)
	var got, want []string
	for _, one := range read.Script.Commands {
		got = append(got, one.Name)
	}
	for _, one := range commands.NewRegistry().All() {
		if !one.Platform {
			want = append(want, one.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the commands %q, want %q", got, want)
	}
}

func TestManifestExplainsEveryCommand(t *testing.T) {
	_, read := written(t)
	for _, one := range read.Script.Commands {
		seen := map[string]bool{}
		explained := func(name, description string) {
			if description == "" {
				t.Errorf("%s: %s has no description", one.Name, name)
			}
			if seen[name] {
				t.Errorf("%s: %s is there twice", one.Name, name)
			}
			seen[name] = true
		}
		explained("the command", one.Description)
		for _, argument := range one.Arguments {
			explained("the argument "+argument.Name, argument.Description)
			if (argument.Auto == "PREDEFINED") != (len(argument.Predefined) > 0) {
				t.Errorf("%s: the argument %s has auto %q with the values %q", one.Name, argument.Name, argument.Auto, argument.Predefined)
			}
		}
		for _, output := range one.Outputs {
			explained("the context path "+output.ContextPath, output.Description)
		}
		if strings.HasPrefix(one.Description, "Deprecated. Use ") != one.Deprecated {
			t.Errorf("%s: is deprecated %t with the description %q", one.Name, one.Deprecated, one.Description)
		}
	}
}

// TestManifestIsReadAlikeEverywhere guards against words that YAML 1.1, which the platform's tools read, takes
// for booleans: they have to be in quotes.
func TestManifestIsReadAlikeEverywhere(t *testing.T) {
	text, _ := written(t)
	for line := range strings.Lines(string(text)) {
		_, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "-")), ": ")
		if slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(value)) {
			t.Errorf("the line %q has a boolean in YAML 1.1", strings.TrimSpace(line))
		}
	}
}

func TestManifestDoesNotChangeFromRunToRun(t *testing.T) {
	first, _ := written(t)
	second, _ := written(t)
	if string(first) != string(second) {
		t.Error("two manifests of the same declarations differ")
	}
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := manifest.Files(os.DirFS("../.."), commands.NewRegistry().All(), params.Parameters())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !file.Current {
			t.Errorf("%s is not up to date: run go generate ./internal/manifest", file.Path)
		}
	}
}

// TestLogoIsOneThatThePlatformShows holds the logo to what its documentation of integration logos asks for.
func TestLogoIsOneThatThePlatformShows(t *testing.T) {
	_, read := written(t)
	encoded, isPNG := strings.CutPrefix(read.Image, "data:image/png;base64,")
	drawn, err := base64.StdEncoding.DecodeString(encoded)
	if !isPNG || err != nil {
		t.Fatalf("got an image that is no PNG in the manifest: %v", err)
	}
	if len(drawn) > 10<<10 {
		t.Errorf("the logo has %d bytes, want at most 10 kB", len(drawn))
	}
	shown, err := png.Decode(bytes.NewReader(drawn))
	if err != nil {
		t.Fatal(err)
	}
	if got := shown.Bounds().Size(); got != image.Pt(120, 50) {
		t.Errorf("the logo has %v pixels, want 120 by 50", got)
	}
	for place, want := range map[image.Point]uint32{{0, 0}: 0, {119, 49}: 0, {60, 10}: 0xffff} {
		if _, _, _, opaque := shown.At(place.X, place.Y).RGBA(); opaque != want {
			t.Errorf("at %v the logo is opaque by %d, want %d", place, opaque, want)
		}
	}
}

func TestHelpNamesWhatIsThere(t *testing.T) {
	_, read := written(t)
	for _, want := range []string{"https://oproxy.demisto.ninja/ms-defender-atp", "APIs my organization uses", "`WindowsDefenderATP`", "Grant admin consent"} {
		if !strings.Contains(read.Help, want) {
			t.Errorf("the help does not name %s, which an administrator needs", want)
		}
	}
	for _, one := range params.Parameters() {
		if strings.Contains(read.Help, "`"+one.Name+"`") {
			t.Errorf("the help repeats the field %s, which has its own help next to it", one.Name)
		}
	}
	registry := commands.NewRegistry()
	for _, name := range regexp.MustCompile("!([a-z-]+)").FindAllStringSubmatch(read.Help, -1) {
		if _, known := registry.Find(name[1]); !known {
			t.Errorf("the help names the command %s, which does not exist", name[1])
		}
	}
	for _, one := range registry.All() {
		for _, set := range one.PermissionSets() {
			if one.Deprecated == "" && !one.Platform && !slices.ContainsFunc(set.Application, func(name string) bool { return strings.Contains(read.Help, "`"+name+"`") }) {
				t.Errorf("the help names none of %q, which %s needs", set.Application, one.Name)
			}
		}
	}
	// A way to sign in names its fields as they are shown; one that is not declared would be there by its name.
	ways, _, _ := strings.Cut(read.Help, "### Permissions")
	if unknown := regexp.MustCompile("`[a-z_]+`").FindAllString(ways, -1); unknown != nil {
		t.Errorf("the ways to sign in name %q, which are not fields", unknown)
	}
}
