// Package manifest writes what is published about the integration from its declarations: the manifest that the
// platform reads, and the tables and references of the documentation.
package manifest

import (
	"encoding/base64"
	"fmt"

	"github.com/goccy/go-yaml"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

//go:generate go run ./generate ../..

// ID is the name by which the platform knows the integration. It is the one that existing instances, their integration
// contexts and the scores of their indicators already carry, so it must not change.
const ID = commands.Brand

// DevelopmentImage is the image in the manifest of the repository; a release names the image of its version.
const DevelopmentImage = "xsoar-defender/runtime:devel"

const (
	display  = "Microsoft Defender for Endpoint"
	category = "Endpoint"
	// deployedMapper is the incoming mapper that new instances of the existing integration have. The content pack names its own.
	deployedMapper = "Microsoft Defender For Endpoint Mapper"
	// serverVersion is the earliest version of the platform that the manifest is for.
	serverVersion = "6.5.0"
	description   = "Reads machines, alerts, indicators, software and vulnerabilities of Microsoft Defender for Endpoint, runs " +
		"machine actions, live response and advanced hunting, and fetches alerts as incidents."
	// script is the code that the platform passes to the image. The program there ignores it, an interpreter would not.
	script = `raise RuntimeError("the image of this integration must be that of xsoar-defender, whose own program runs instead of this line")`
)

// The manifest's form, with the keys in the order in which they are written. Keys without a value are left out,
// which the platform reads as false or empty.
type (
	integration struct {
		CommonFields  commonFields `yaml:"commonfields"`
		Name          string       `yaml:"name"`
		Display       string       `yaml:"display"`
		Category      string       `yaml:"category"`
		Description   string       `yaml:"description"`
		SectionOrder  []string     `yaml:"sectionorder"`
		Configuration []parameter  `yaml:"configuration"`
		Script        scriptBlock  `yaml:"script"`
		Help          string       `yaml:"detaileddescription"`
		Image         string       `yaml:"image"`
		MapperIn      string       `yaml:"defaultmapperin"`
		FromVersion   string       `yaml:"fromversion"`
	}
	commonFields struct {
		ID      string `yaml:"id"`
		Version int    `yaml:"version"`
	}
	parameter struct {
		Display         string   `yaml:"display"`
		Name            string   `yaml:"name"`
		Type            int      `yaml:"type"`
		Required        bool     `yaml:"required"`
		Hidden          bool     `yaml:"hidden,omitempty"`
		Section         string   `yaml:"section"`
		Advanced        bool     `yaml:"advanced,omitempty"`
		DefaultValue    string   `yaml:"defaultvalue,omitempty"`
		DisplayPassword string   `yaml:"displaypassword,omitempty"`
		HiddenUsername  bool     `yaml:"hiddenusername,omitempty"`
		Options         []string `yaml:"options,omitempty"`
		AdditionalInfo  string   `yaml:"additionalinfo,omitempty"`
	}
	scriptBlock struct {
		Type        string    `yaml:"type"`
		Subtype     string    `yaml:"subtype"`
		Script      string    `yaml:"script"`
		DockerImage string    `yaml:"dockerimage"`
		IsFetch     bool      `yaml:"isfetch"`
		IsMappable  bool      `yaml:"ismappable"`
		SyncIn      bool      `yaml:"isremotesyncin"`
		SyncOut     bool      `yaml:"isremotesyncout"`
		Commands    []command `yaml:"commands"`
	}
	command struct {
		Name        string     `yaml:"name"`
		Description string     `yaml:"description"`
		Deprecated  bool       `yaml:"deprecated,omitempty"`
		Execution   bool       `yaml:"execution,omitempty"`
		Polling     bool       `yaml:"polling,omitempty"`
		Policies    []string   `yaml:"compliantpolicies,omitempty"`
		Arguments   []argument `yaml:"arguments,omitempty"`
		Outputs     []output   `yaml:"outputs,omitempty"`
	}
	argument struct {
		Name         string   `yaml:"name"`
		Description  string   `yaml:"description"`
		Required     bool     `yaml:"required,omitempty"`
		IsArray      bool     `yaml:"isArray,omitempty"`
		Default      bool     `yaml:"default,omitempty"`
		DefaultValue string   `yaml:"defaultValue,omitempty"`
		Auto         string   `yaml:"auto,omitempty"`
		Predefined   []string `yaml:"predefined,omitempty"`
		Hidden       bool     `yaml:"hidden,omitempty"`
		Deprecated   bool     `yaml:"deprecated,omitempty"`
	}
	output struct {
		ContextPath string `yaml:"contextPath"`
		Description string `yaml:"description"`
		Type        string `yaml:"type"`
	}
)

// Integration writes the manifest in one file, with the help of an instance's settings and the logo in it, as
// https://xsoar.pan.dev/docs/integrations/yaml-file describes it and as the platform takes it for an upload. Commands
// that the platform itself calls are not listed there; image is the container image that holds the program.
func Integration(image string, declared []commands.Command, parameters []params.Parameter) ([]byte, error) {
	whole := integration{
		CommonFields: commonFields{ID: ID, Version: -1}, // -1: the platform counts the versions
		Name:         ID, Display: display, Category: category, Description: description,
		SectionOrder: []string{params.SectionConnect, params.SectionCollect},
		Script: scriptBlock{
			Type: "python", Subtype: "python3", Script: script, DockerImage: image, IsFetch: true, IsMappable: true, SyncIn: true, SyncOut: true,
		},
		Help:     help(declared, parameters),
		Image:    "data:image/png;base64," + base64.StdEncoding.EncodeToString(logo),
		MapperIn: deployedMapper, FromVersion: serverVersion,
	}
	for _, one := range parameters {
		whole.Configuration = append(whole.Configuration, parameterOf(one))
	}
	for _, one := range listed(declared) {
		whole.Script.Commands = append(whole.Script.Commands, commandOf(one))
	}
	text, err := yaml.MarshalWithOptions(whole, yaml.IndentSequence(false), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return text, nil
}

// listed are the commands that analysts see.
func listed(declared []commands.Command) []commands.Command {
	var seen []commands.Command
	for _, one := range declared {
		if !one.Platform {
			seen = append(seen, one)
		}
	}
	return seen
}

func parameterOf(declared params.Parameter) parameter {
	return parameter{
		Name: declared.Name, Display: declared.Display, DisplayPassword: declared.DisplayPassword, Type: declared.Type,
		DefaultValue: declared.Default, Options: declared.Options, Section: declared.Section, AdditionalInfo: declared.Help,
		Required: declared.Required, Advanced: declared.Advanced, Hidden: declared.Hidden, HiddenUsername: declared.HiddenUsername,
	}
}

func commandOf(declared commands.Command) command {
	written := command{
		Name: declared.Name, Description: declared.Help, Execution: declared.Executes, Policies: declared.Policies,
		// The platform drops the schedule of a command without this. Every command runs again when the service asks for patience.
		Polling: declared.Schedules(),
	}
	if declared.Deprecated != "" {
		// The platform's own words for what is deprecated, by which its editor finds it.
		written.Deprecated = true
		written.Description = "Deprecated. Use " + declared.Deprecated + " instead. " + declared.Help
	}
	for _, one := range declared.Arguments() {
		argument := argumentOf(one)
		argument.Default = one.Name == declared.Unnamed
		written.Arguments = append(written.Arguments, argument)
	}
	for _, one := range declared.Declared() {
		written.Outputs = append(written.Outputs, output{ContextPath: one.Path, Description: one.Help, Type: string(one.Type)})
	}
	return written
}

func argumentOf(declared commands.Argument) argument {
	written := argument{
		Name: declared.Name, Description: declared.Help, Required: declared.Required, IsArray: declared.List,
		DefaultValue: declared.Default, Predefined: declared.Values, Hidden: declared.Hidden, Deprecated: declared.Deprecated,
	}
	if len(declared.Values) > 0 {
		written.Auto = "PREDEFINED"
	}
	return written
}
