package commands

import (
	"context"

	"xsoar-defender/defender"
	"xsoar-defender/warroom"
)

func inventoryCommands() []func() Command {
	return []func() Command{
		getMachineSoftware,
		getMachineMissingKBs,
		getMachineVulnerabilities,
	}
}

// ofMachine declares a command that lists with an operation what a machine has.
func ofMachine(command Command, operation defender.Operation, out Output) Command {
	type args struct {
		Machine string `arg:"machine_id" required:"true" help:"The ID of the machine."`
	}
	out.View = out.View.Filled()
	command.Area, command.Outputs, command.Example = Software, []Output{out}, `machine_id=`+exampleMachine
	command.Uses = []defender.Operation{operation}
	return declare(command, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.listReport(run.API.All(ctx, operation, in.Machine))
	})
}

func getMachineSoftware() Command {
	return ofMachine(Command{
		Name: "microsoft-atp-get-machine-software",
		Help: "Lists the software that is installed on a machine.",
	}, defender.ListSoftwareOfMachine, Output{
		Path: "MicrosoftATP.Software", Key: keyedByCapitalID,
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The ID of the software, which consists of vendor and product."},
			warroom.Field{Name: "Name", From: "name", Type: warroom.String, Help: "The product."},
			warroom.Field{Name: "Vendor", From: "vendor", Type: warroom.String, Help: "The vendor of the product."},
			warroom.Field{Name: "Weaknesses", From: "weaknesses", Type: warroom.Number, Help: "The number of known vulnerabilities."},
			warroom.Field{Name: "Weakness", From: "weaknesses", Type: warroom.Number, Help: "The same number, under the key of the earlier integration."},
			warroom.Field{Name: "PublicExploit", From: "publicExploit", Type: warroom.Boolean, Help: "Whether there is a public exploit for one of them."},
			warroom.Field{Name: "ActiveAlert", From: "activeAlert", Type: warroom.Boolean, Help: "Whether there is an active alert about the software."},
			warroom.Field{Name: "ActiveAlerts", From: "activeAlert", Type: warroom.Boolean, Help: "The same, under the key of the earlier integration."},
			warroom.Field{Name: "ExposedMachines", From: "exposedMachines", Type: warroom.Number, Help: "The number of machines that are vulnerable through it."},
			warroom.Field{Name: "InstalledMachines", From: "installedMachines", Type: warroom.Number, Help: "The number of machines on which it is installed."},
			warroom.Field{Name: "ImpactScore", From: "impactScore", Type: warroom.Number, Help: "Its share of the exposure score."},
			warroom.Field{Name: "IsNormalized", From: "isNormalized", Type: warroom.Boolean, Help: "Whether the service knows the product."},
			warroom.Field{Name: "Category", From: "category", Type: warroom.String, Help: "The kind of software."},
			warroom.Field{Name: "Distributions", From: "distributions", Type: warroom.String, Help: "The distributions or versions that are installed."},
		),
		Title: "Software of the machine",
		Columns: []string{
			"ID", "Name", "Vendor", "Weaknesses", "PublicExploit", "ActiveAlert", "ExposedMachines", "InstalledMachines",
			"ImpactScore", "IsNormalized", "Category",
		},
		Empty: "No software of the machine is known.",
	})
}

func getMachineMissingKBs() Command {
	return ofMachine(Command{
		Name: "microsoft-atp-get-machine-missing-kbs",
		Help: "Lists the security updates that a machine lacks.",
	}, defender.ListMissingKBsOfMachine, Output{
		Path: "MicrosoftATP.PublicProductFix", Key: keyedByCapitalID,
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The number of the update."},
			warroom.Field{Name: "Name", From: "name", Type: warroom.String, Help: "The name of the update."},
			warroom.Field{Name: "OSBuild", From: "osBuild", Type: warroom.String, Help: "The build of the operating system that it brings."},
			warroom.Field{Name: "ProductsNames", From: "productsNames", Type: warroom.String, Help: "The products that it is for."},
			warroom.Field{Name: "ProductNames", From: "productsNames", Type: warroom.String, Help: "The same, under the key of the earlier integration."},
			warroom.Field{Name: "URL", From: "url", Type: warroom.String, Help: "Where it can be downloaded."},
			warroom.Field{Name: "MachineMissedOn", From: "machineMissedOn", Type: warroom.Number, Help: "The number of machines that lack it."},
			warroom.Field{Name: "MachinesMissedOn", From: "machineMissedOn", Type: warroom.Number, Help: "The same number, under the key of the earlier integration."},
			warroom.Field{Name: "CVEAddressed", From: "cveAddressed", Type: warroom.Number, Help: "The number of vulnerabilities that it fixes."},
		),
		Title:   "Missing security updates of the machine",
		Columns: []string{"ID", "Name", "OSBuild", "URL", "MachineMissedOn", "CVEAddressed", "ProductsNames"},
		Empty:   "The machine lacks no security update.",
	})
}

func getMachineVulnerabilities() Command {
	return ofMachine(Command{
		Name: "microsoft-atp-get-machine-vulnerabilities",
		Help: "Lists the vulnerabilities of a machine.",
	}, defender.ListVulnerabilitiesOfMachine, Output{
		Path: "MicrosoftATP.PublicVulnerability", Key: keyedByCapitalID,
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The vulnerability's ID."},
			warroom.Field{Name: "Name", From: "name", Type: warroom.String, Help: "Its name, usually the ID."},
			warroom.Field{Name: "Description", From: "description", Type: warroom.String, Help: "What it is."},
			warroom.Field{Name: "Severity", From: "severity", Type: warroom.String, Help: "Low, Medium, High or Critical."},
			warroom.Field{Name: "CVSSV3", From: "cvssV3", Type: warroom.Number, Help: "The CVSS score, version 3."},
			warroom.Field{Name: "CVSSVector", From: "cvssVector", Type: warroom.String, Help: "The vector of the score."},
			warroom.Field{Name: "EPSS", From: "epss", Type: warroom.Number, Help: "The probability of exploitation, from 0 to 1."},
			warroom.Field{Name: "ExposedMachines", From: "exposedMachines", Type: warroom.Number, Help: "The number of machines that have it."},
			warroom.Field{Name: "PublishedOn", From: "publishedOn", Type: warroom.Date, Help: "When it was published."},
			warroom.Field{Name: "UpdatedOn", From: "updatedOn", Type: warroom.Date, Help: "When its description last changed."},
			warroom.Field{Name: "FirstDetected", From: "firstDetected", Type: warroom.Date, Help: "When it was first found in the tenant."},
			warroom.Field{Name: "PublicExploit", From: "publicExploit", Type: warroom.Boolean, Help: "Whether there is a public exploit."},
			warroom.Field{Name: "ExploitVerified", From: "exploitVerified", Type: warroom.Boolean, Help: "Whether an exploit was shown to work."},
			warroom.Field{Name: "ExploitInKit", From: "exploitInKit", Type: warroom.Boolean, Help: "Whether an exploit is part of a kit."},
			warroom.Field{Name: "ExploitTypes", From: "exploitTypes", Type: warroom.String, Help: "The kinds of exploits."},
			warroom.Field{Name: "ExploitUris", From: "exploitUris", Type: warroom.String, Help: "Where exploits are found."},
			warroom.Field{Name: "ExploitURIs", From: "exploitUris", Type: warroom.String, Help: "The same, under the key of the earlier integration."},
			warroom.Field{Name: "CVESupportability", From: "cveSupportability", Type: warroom.String, Help: "Whether the service looks for it."},
			warroom.Field{Name: "Tags", From: "tags", Type: warroom.String, Help: "Its tags."},
		),
		Title: "Vulnerabilities of the machine",
		Columns: []string{
			"ID", "Name", "Severity", "CVSSV3", "CVSSVector", "Description", "EPSS", "ExposedMachines", "PublishedOn", "UpdatedOn",
			"FirstDetected", "PublicExploit", "ExploitVerified", "ExploitInKit", "ExploitTypes", "ExploitUris", "CVESupportability", "Tags",
		},
		Empty: "No vulnerability of the machine is known.",
	})
}
