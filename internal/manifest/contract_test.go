package manifest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

// What existing playbooks rely on: the commands of the implementation that they were written for.
type (
	contract struct {
		Commands []contractCommand `json:"commands"`
	}
	contractCommand struct {
		Name       string             `json:"name"`
		Args       []contractArgument `json:"args"`
		Outputs    [][2]string        `json:"outputs"` // path and type
		Execution  bool               `json:"execution"`
		Polling    bool               `json:"polling"`
		Policies   []string           `json:"compliantpolicies"`
		Platform   bool               `json:"platform"`
		Deprecated string             `json:"deprecated"` // "peer": deprecated there, too
	}
	contractArgument struct {
		Name     string   `json:"name"`
		Required bool     `json:"required"`
		List     bool     `json:"list"`
		Hidden   bool     `json:"hidden"`
		Unnamed  bool     `json:"default_argument"`
		Default  string   `json:"default"`
		Values   []string `json:"values"`
	}
)

// deliberate are the differences from the contract that are wanted, under their reasons. A difference that is not
// here fails the test, and so does one that is here and no longer exists. The type of a context path
// informs anyone who writes a playbook; it changes no value.
func deliberate() map[string][]string {
	return map[string][]string{
		"the service returns true or false": {
			"microsoft-atp-get-alert-related-user: the context path MicrosoftATP.AlertUser.User.DomainAdmin is a Boolean, want Number",
			"microsoft-atp-get-alert-related-user: the context path MicrosoftATP.AlertUser.User.NetworkUser is a Boolean, want Number",
			"microsoft-atp-get-alert-related-files: the context path MicrosoftATP.AlertFile.Files.IsValidCertificate is a Boolean, want Number",
			"microsoft-atp-get-alert-related-files: the context path MicrosoftATP.AlertFile.Files.IsPeFile is a Boolean, want Number",
		},
		"the service returns text": {
			"microsoft-atp-get-alert-related-files: the context path MicrosoftATP.AlertFile.Files.FileProductName is a String, want Unknown",
			"microsoft-atp-get-alert-related-domains: the context path MicrosoftATP.AlertDomain.AlertID is a String, want Unknown",
		},
		"the contract itself says Unknown for other machine actions, which share the view": {
			"microsoft-atp-list-machine-actions-details: the context path MicrosoftATP.MachineAction.Scope is a Unknown, want String",
			"microsoft-atp-collect-investigation-package: the context path MicrosoftATP.MachineAction.Scope is a Unknown, want String",
			"microsoft-atp-restrict-app-execution: the context path MicrosoftATP.MachineAction.Scope is a Unknown, want String",
			"microsoft-atp-remove-app-restriction: the context path MicrosoftATP.MachineAction.Scope is a Unknown, want String",
			"microsoft-atp-stop-and-quarantine-file: the context path MicrosoftATP.MachineAction.Scope is a Unknown, want String",
		},
		"the service returns a point in time": {
			"microsoft-atp-live-response-get-file: the context path MicrosoftATP.LiveResponseAction.cancellationDateTimeUtc is a Date, want String",
			"microsoft-atp-live-response-get-file: the context path MicrosoftATP.LiveResponseAction.commands.startTime is a Date, want String",
			"microsoft-atp-live-response-get-file: the context path MicrosoftATP.LiveResponseAction.commands.endTime is a Date, want String",
			"microsoft-atp-live-response-put-file: the context path MicrosoftATP.LiveResponseAction.cancellationDateTimeUtc is a Date, want String",
			"microsoft-atp-live-response-put-file: the context path MicrosoftATP.LiveResponseAction.commands.startTime is a Date, want String",
			"microsoft-atp-live-response-put-file: the context path MicrosoftATP.LiveResponseAction.commands.endTime is a Date, want String",
			"microsoft-atp-get-machine-vulnerabilities: the context path MicrosoftATP.PublicVulnerability.FirstDetected is a Date, want String",
			"microsoft-atp-get-machine-vulnerabilities: the context path MicrosoftATP.PublicVulnerability.PublishedOn is a Date, want String",
			"microsoft-atp-get-machine-vulnerabilities: the context path MicrosoftATP.PublicVulnerability.UpdatedOn is a Date, want String",
		},
		"the service returns a number, and the contract itself says so for alerts elsewhere": {
			"microsoft-atp-get-machine-alerts: the context path MicrosoftATP.MachineAlerts.IncidentID is a Number, want String",
		},
		"the service refuses machine actions without a comment": {
			`microsoft-atp-restrict-app-execution: the argument comment is by default "Restricted by Cortex XSOAR.", want ""`,
		},
		"one of the lists takes several values": {
			"microsoft-atp-list-machines-by-software: the argument id is a list true, want false",
			"microsoft-atp-list-vulnerabilities-by-software: the argument id is a list true, want false",
			"microsoft-atp-list-vulnerabilities: the argument name_equal is a list true, want false",
			"microsoft-atp-list-software-version-distribution: the argument id is a list true, want false",
		},
		"the contract has a misspelled path that nothing has ever filled; the command declares the one that it fills": {
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.id is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.name is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.osBuild is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.productsNames is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.url is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.machineMissedOn is missing",
			"microsoft-atp-list-missing-kb-by-software: the context path MicMicrosoftATP.SoftwareKB.cveAddressed is missing",
		},
		"the keys of the object are declared in its place": {
			"microsoft-atp-offboard-machine: the context path MicrosoftATP.OffboardMachine.RelatedFileInfo is missing",
		},
	}
}

// TestManifestHasEveryParameterOfAnInstance compares the parameters with those of the existing integration: whatever an
// instance has saved is read.
func TestManifestHasEveryParameterOfAnInstance(t *testing.T) {
	var agreed struct {
		Params []struct {
			Name    string
			Type    int
			Default string
			Hidden  bool
			Values  []string
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "testdata/commands.json")), &agreed); err != nil {
		t.Fatal(err)
	}
	declared := params.Parameters()
	for _, want := range agreed.Params {
		at := slices.IndexFunc(declared, func(one params.Parameter) bool { return one.Name == want.Name })
		if at < 0 {
			t.Errorf("%s: the parameter is missing", want.Name)
			continue
		}
		got := declared[at]
		if got.Type != want.Type || got.Hidden != want.Hidden || (want.Default != "" && got.Default != want.Default) {
			t.Errorf("%s: got the type %d, the default %q, hidden %t, want %d, %q, %t", want.Name, got.Type, got.Default, got.Hidden, want.Type, want.Default, want.Hidden)
		}
		for _, value := range want.Values {
			if !slices.Contains(got.Options, value) {
				t.Errorf("%s: got the options %q, want %q among them", want.Name, got.Options, value)
			}
		}
	}
}

func TestManifestKeepsTheContract(t *testing.T) {
	var agreed contract
	if err := json.Unmarshal([]byte(readFile(t, "testdata/commands.json")), &agreed); err != nil {
		t.Fatal(err)
	}
	_, read := written(t)
	var found []string
	for _, want := range agreed.Commands {
		for _, difference := range differences(want, read.Script.Commands) {
			found = append(found, want.Name+": "+difference)
		}
	}
	var wanted []string
	for reason, listed := range deliberate() {
		wanted = append(wanted, listed...)
		for _, difference := range listed {
			if !slices.Contains(found, difference) {
				t.Errorf("%q is listed as deliberate, because %s, but there is no such difference", difference, reason)
			}
		}
	}
	for _, difference := range found {
		if !slices.Contains(wanted, difference) {
			t.Error(difference)
		}
	}
}

// differences lists everything in the contract that a command of the manifest lacks or has otherwise. The command may have more.
func differences(want contractCommand, all []manifestCommand) []string {
	at := slices.IndexFunc(all, func(one manifestCommand) bool { return one.Name == want.Name })
	if want.Platform {
		if one, known := commands.NewRegistry().Find(want.Name); !known || !one.Platform || at >= 0 {
			return []string{"is not for the platform alone"}
		}
		return nil
	}
	if at < 0 {
		return []string{"is missing"}
	}
	got := all[at]
	var found []string
	if want.Polling && !got.Polling {
		found = append(found, "has no polling: true, without which the platform drops what it schedules")
	}
	if !slices.Equal(got.Policies, want.Policies) {
		found = append(found, fmt.Sprintf("complies with the policies %q, want %q", got.Policies, want.Policies))
	}
	if got.Execution != want.Execution {
		found = append(found, fmt.Sprintf("execution is %t, want %t", got.Execution, want.Execution))
	}
	if deprecated := want.Deprecated == "peer"; got.Deprecated != deprecated {
		found = append(found, fmt.Sprintf("deprecated is %t, want %t", got.Deprecated, deprecated))
	}
	return slices.Concat(found, argumentDifferences(want.Args, got.Arguments), outputDifferences(want.Outputs, got))
}

func argumentDifferences(want []contractArgument, got []manifestArgument) []string {
	var found []string
	for _, wanted := range want {
		at := slices.IndexFunc(got, func(one manifestArgument) bool { return one.Name == wanted.Name })
		if at < 0 {
			found = append(found, "the argument "+wanted.Name+" is missing")
			continue
		}
		one := got[at]
		for _, part := range []struct{ name, got, want string }{
			{"required", fmt.Sprint(one.Required), fmt.Sprint(wanted.Required)},
			{"a list", fmt.Sprint(one.IsArray), fmt.Sprint(wanted.List)},
			{"the unnamed argument", fmt.Sprint(one.Default), fmt.Sprint(wanted.Unnamed)},
			{"hidden", fmt.Sprint(one.Hidden), fmt.Sprint(wanted.Hidden)},
			{"by default", fmt.Sprintf("%q", one.DefaultValue), fmt.Sprintf("%q", wanted.Default)},
		} {
			if part.got != part.want {
				found = append(found, fmt.Sprintf("the argument %s is %s %s, want %s", wanted.Name, part.name, part.got, part.want))
			}
		}
		for _, value := range wanted.Values {
			// Without values of its own an argument takes any.
			if len(one.Predefined) > 0 && !slices.Contains(one.Predefined, value) {
				found = append(found, fmt.Sprintf("the argument %s does not take %q", wanted.Name, value))
			}
		}
	}
	for _, one := range got {
		known := slices.ContainsFunc(want, func(wanted contractArgument) bool { return wanted.Name == one.Name })
		if one.Required && !known {
			found = append(found, "the argument "+one.Name+" is required, and existing playbooks do not set it")
		}
	}
	return found
}

func outputDifferences(want [][2]string, got manifestCommand) []string {
	types := map[string]string{}
	for _, one := range got.Outputs {
		types[one.ContextPath] = one.Type
	}
	var found []string
	for _, wanted := range want {
		path, wantType := wanted[0], wanted[1]
		switch gotType, declared := types[path]; {
		case !declared:
			found = append(found, "the context path "+path+" is missing")
		case !strings.EqualFold(gotType, wantType):
			found = append(found, fmt.Sprintf("the context path %s is a %s, want %s", path, gotType, wantType))
		}
	}
	return found
}
