package commands

import (
	"context"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func softwareCommands() []func() Command {
	return []func() Command{
		listSoftware,
		listSoftwareVersions,
		listSoftwareMachines,
		listSoftwareMissingKBs,
		listVulnerabilities,
		listSoftwareVulnerabilities,
		listMachineVulnerabilities,
		listVulnerabilityMachines,
	}
}

func listSoftware() Command {
	type args struct {
		IDs     []string `arg:"id" help:"The IDs of the software, made of vendor and product, such as google-_-chrome."`
		Names   []string `arg:"name" help:"Names of products."`
		Vendors []string `arg:"vendor" help:"Names of vendors."`
		Limit   int      `arg:"limit" default:"50" min:"1" help:"The maximum number of products to return."`
		Offset  int      `arg:"offset" default:"0" min:"0" help:"The number of products to skip."`
	}
	out := Output{
		Path: "MicrosoftATP.Software", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The ID of the software."),
			asGiven("name", warroom.String, "The product."),
			asGiven("vendor", warroom.String, "Its vendor."),
			asGiven("weaknesses", warroom.Number, "The number of its known vulnerabilities."),
			asGiven("publicExploit", warroom.Boolean, "Whether there is a public exploit for one of them."),
			asGiven("activeAlert", warroom.Boolean, "Whether it has an active alert."),
			asGiven("exposedMachines", warroom.Number, "The number of machines that it exposes."),
			asGiven("installedMachines", warroom.Number, "The number of machines on which it is installed."),
			asGiven("impactScore", warroom.Number, "Its contribution to the exposure score."),
			asGiven("isNormalized", warroom.Boolean, "Whether the service recognizes the product."),
			asGiven("category", warroom.String, "The kind of software."),
			asGiven("distributions", warroom.String, "The versions that are installed."),
		),
		Title:   "Software",
		Columns: []string{"name", "vendor", "weaknesses", "publicExploit", "activeAlert", "exposedMachines", "installedMachines", "id"},
		Empty:   "No software matches.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-software", Area: Software,
		Help:    "Lists the software of the tenant's machines that matches all the given conditions.",
		Uses:    []defender.Operation{defender.ListSoftware},
		Outputs: []Output{out},
		Example: `vendor=contoso limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.listReport(run.API.Software(ctx, defender.Query{
			Filter: defender.And(
				defender.EqualAny("id", in.IDs),
				defender.EqualAny("name", in.Names),
				defender.EqualAny("vendor", in.Vendors),
			),
			Limit: in.Limit, Skip: in.Offset, FromStart: true,
		}))
	})
}

// softwareArguments names one or more products.
type softwareArguments struct {
	IDs []string `arg:"id" help:"The IDs of the software, made of vendor and product, such as google-_-chrome. At least one must be given."`
}

const softwareExample = `id=google-_-chrome`

// aboutEach shows what belongs to each of several ids: every item once.
func aboutEach(
	ctx context.Context, run *Run, argument string, ids []string,
	ask func(ctx context.Context, id string) (defender.List, error), show func(defender.List) []warroom.Entry,
) (Report, error) {
	if len(ids) == 0 {
		return Report{}, wrong(run, "%s is missing", argument)
	}
	lists := forEach(ctx, ids, ask)
	return lists.finish(argument, show(merged(lists.Done))...)
}

// together shows a list in one entry.
func together(show func(defender.List) warroom.Entry) func(defender.List) []warroom.Entry {
	return func(list defender.List) []warroom.Entry { return []warroom.Entry{show(list)} }
}

// merged returns the items of several lists, each once, and the answers as received.
func merged(lists []done[defender.List]) defender.List {
	var all defender.List
	wholes := make([]rawjson.Value, len(lists))
	seen := map[rawjson.Value]bool{}
	for i, one := range lists {
		wholes[i] = one.Value.Joined()
		all.More = all.More || one.Value.More
		for _, item := range one.Value.Items {
			if !seen[item] {
				seen[item] = true
				all.Items = append(all.Items, item)
			}
		}
	}
	all.Whole = rawjson.Join(wholes)
	if len(wholes) == 1 {
		all.Whole = wholes[0]
	}
	return all
}

// telling adds to every item of a list what it belongs to, which the service does not repeat in each.
func telling(key string, ask func(ctx context.Context, id string) (defender.List, error)) func(ctx context.Context, id string) (defender.List, error) {
	return func(ctx context.Context, id string) (defender.List, error) {
		list, err := ask(ctx, id)
		for i, item := range list.Items {
			list.Items[i] = with(item, key, id)
		}
		return list, err
	}
}

func listSoftwareVersions() Command {
	out := Output{
		Path: "MicrosoftATP.SoftwareVersion", Key: "val.version && val.version == obj.version && val.softwareId == obj.softwareId",
		View: warroom.NewView(
			asGiven("version", warroom.String, "A version of the software."),
			asGiven("installations", warroom.Number, "The number of machines on which this version is installed."),
			asGiven("vulnerabilities", warroom.Number, "The number of its known vulnerabilities."),
			asGiven("softwareId", warroom.String, "The ID of the software."),
		),
		Title: "Versions of the software", Columns: []string{"version", "installations", "vulnerabilities"}, Empty: "The software is not installed on any machine.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-software-version-distribution", Area: Software,
		Help:    "Shows which versions of software are installed, and on how many machines.",
		Uses:    []defender.Operation{defender.ListSoftwareVersions},
		Outputs: []Output{out},
		Example: softwareExample,
	}, func(ctx context.Context, run *Run, in softwareArguments) (Report, error) {
		shown := out
		if len(in.IDs) > 1 {
			shown.Columns = append([]string{"softwareId"}, out.Columns...)
		}
		return aboutEach(ctx, run, "id", in.IDs, telling("softwareId", run.API.SoftwareVersions), together(shown.listEntry))
	})
}

func listSoftwareMachines() Command {
	out := Output{
		Path: "MicrosoftATP.SoftwareMachine", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The machine's ID."),
			asGiven("computerDnsName", warroom.String, "The machine's fully qualified name."),
			asGiven("osPlatform", warroom.String, "The operating system."),
			asGiven("rbacGroupName", warroom.String, "The name of the device group."),
			asGiven("rbacGroupId", warroom.Number, "The ID of the device group."),
		),
		Title: "Machines with the software", Columns: []string{"computerDnsName", "osPlatform", "rbacGroupName", "id", "rbacGroupId"}, Pages: map[string]string{"id": machinePage},
		Empty: "No machine has the software.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-machines-by-software", Area: Software,
		Help:    "Lists the machines on which software is installed. A machine with several of the products is listed once.",
		Uses:    []defender.Operation{defender.ListSoftwareMachines},
		Outputs: []Output{out},
		Example: softwareExample,
	}, func(ctx context.Context, run *Run, in softwareArguments) (Report, error) {
		return aboutEach(ctx, run, "id", in.IDs, run.API.SoftwareMachines, together(out.listEntry))
	})
}

func listSoftwareMissingKBs() Command {
	type args struct {
		ID string `arg:"id" required:"true" help:"The ID of the software, made of vendor and product, such as microsoft-_-edge."`
	}
	out := Output{
		Path: "MicrosoftATP.SoftwareKB", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The number of the update."),
			asGiven("name", warroom.String, "The update's name."),
			asGiven("osBuild", warroom.Number, "The build of the operating system that it installs."),
			asGiven("productsNames", warroom.String, "The products that it is for."),
			asGiven("url", warroom.String, "Where it can be downloaded."),
			asGiven("machineMissedOn", warroom.Number, "The number of machines that lack it."),
			asGiven("cveAddressed", warroom.Number, "The number of vulnerabilities that it fixes."),
		),
		Title:   "Missing security updates",
		Columns: []string{"id", "name", "osBuild", "productsNames", "url", "machineMissedOn", "cveAddressed"},
		Empty:   "No machine lacks a security update of the software.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-missing-kb-by-software", Area: Software,
		Help:    "Lists the security updates that machines with a given software product lack.",
		Uses:    []defender.Operation{defender.ListSoftwareMissingKBs},
		Outputs: []Output{out},
		Example: `id=microsoft-_-edge_chromium-based`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.listReport(run.API.SoftwareMissingKBs(ctx, in.ID))
	})
}

// vulnerabilityOutput shows vulnerabilities with the service's own keys.
func vulnerabilityOutput(path string, columns ...string) Output {
	return Output{
		Path: path, Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The vulnerability's ID."),
			asGiven("name", warroom.String, "Its name, mostly the ID."),
			asGiven("description", warroom.String, "What it is."),
			asGiven("severity", warroom.String, "The severity: Low, Medium, High or Critical."),
			asGiven("cvssV3", warroom.Number, "The CVSS score, version 3."),
			asGiven("cvssVector", warroom.String, "The vector that the score is computed from."),
			asGiven("exposedMachines", warroom.Number, "The number of machines that have it."),
			asGiven("publishedOn", warroom.Date, "When it was published."),
			asGiven("updatedOn", warroom.Date, "When its description last changed."),
			asGiven("firstDetected", warroom.Date, "When it was first found in the tenant."),
			asGiven("publicExploit", warroom.Boolean, "Whether there is a public exploit."),
			asGiven("exploitVerified", warroom.Boolean, "Whether an exploit was verified."),
			asGiven("exploitInKit", warroom.Boolean, "Whether an exploit is part of an exploit kit."),
			asGiven("exploitTypes", warroom.String, "The kinds of its exploits."),
			asGiven("exploitUris", warroom.String, "The addresses of its exploits."),
			asGiven("cveSupportability", warroom.String, "Whether the service supports its detection."),
			asGiven("epss", warroom.Number, "The probability that it is exploited, from 0 to 1."),
			asGiven("tags", warroom.Unknown, "Its tags."),
			asGiven("status", warroom.String, "Its state in the tenant."),
		),
		Title: "Vulnerabilities", Columns: columns, Empty: "No vulnerability matches.",
	}
}

// vulnerabilityEntries shows every vulnerability in an entry of its own, as existing playbooks expect, and puts it at
// the platform's standard path as well. Its score is unknown: the platform's verdicts do not express the severity of a
// vulnerability.
func vulnerabilityEntries(run *Run, out, standard Output, list defender.List) []warroom.Entry {
	return out.objectEntries(list, func(vulnerability rawjson.Value) warroom.Entry {
		rows := []rawjson.Value{vulnerability}
		entry := out.rowsEntry(rows, vulnerability)
		if cve := vulnerability.Text("cveId", "id"); cve != "" {
			score := unjudged(run, cve, cveIndicator)
			entry.Context = append(entry.Context, standard.context(rows), scoreOutput().context([]rawjson.Value{score}))
		}
		return entry
	})
}

func listVulnerabilities() Command {
	type args struct {
		IDs         []string `arg:"id" help:"IDs of vulnerabilities, such as CVE-2026-12345."`
		Names       []string `arg:"name_equal" help:"Names of vulnerabilities."`
		Name        string   `arg:"name_contains" help:"A part of the name."`
		Description string   `arg:"description_contains" help:"A part of the description."`
		Published   Moment   `arg:"published_on" help:"Only vulnerabilities published on or after this date, or within this time span back from now, such as 30 days."`
		CVSS        *float64 `arg:"cvss" min:"0" max:"10" help:"The minimum CVSS score."`
		Severities  []string `arg:"severity" values:"Low,Medium,High,Critical" help:"The severities."`
		Updated     Moment   `arg:"updated_on" help:"Only vulnerabilities updated on or after this date, or within this time span back from now, such as 30 days."`
		Limit       int      `arg:"limit" default:"25" min:"1" help:"The maximum number of vulnerabilities to return."`
		Offset      int      `arg:"offset" default:"0" min:"0" help:"The number of vulnerabilities to skip."`
	}
	out := vulnerabilityOutput("MicrosoftATP.Vulnerability",
		"id", "name", "description", "severity", "publishedOn", "updatedOn", "exposedMachines", "exploitVerified", "publicExploit", "cvssV3")
	return declare(Command{
		Name: "microsoft-atp-list-vulnerabilities", Area: Software,
		Help:    "Lists vulnerabilities of the tenant's machines that match all the given conditions.",
		Uses:    []defender.Operation{defender.ListVulnerabilities},
		Outputs: []Output{out, cveOutput(), scoreOutput()},
		Example: `severity=Critical published_on="30 days" cvss=9`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		filters := []defender.Filter{
			defender.EqualAny("id", in.IDs),
			defender.EqualAny("severity", in.Severities),
			defender.EqualAny("name", in.Names),
			containing("name", in.Name),
			containing("description", in.Description),
			since("publishedOn", in.Published),
			since("updatedOn", in.Updated),
		}
		if in.CVSS != nil {
			filters = append(filters, defender.Number("cvssV3", "ge", *in.CVSS))
		}
		vulnerabilities, err := run.API.Vulnerabilities(ctx, defender.Query{
			Filter: defender.And(filters...), Limit: in.Limit, Skip: in.Offset, FromStart: true,
		})
		if err != nil {
			return Report{}, err
		}
		return report(vulnerabilityEntries(run, out, cveOutput(), vulnerabilities)...), nil
	})
}

// containing returns the filter for a text inside a property, or none if the text was not given.
func containing(property, text string) defender.Filter {
	if text == "" {
		return defender.Filter{}
	}
	return defender.Contains(property, text)
}

// since returns the filter for a time or later, or none if the time was not given.
func since(property string, at Moment) defender.Filter {
	if at.IsZero() {
		return defender.Filter{}
	}
	return defender.Since(property, at.Time)
}

func listSoftwareVulnerabilities() Command {
	type args struct {
		IDs []string `arg:"id" required:"true" help:"The IDs of the software, made of vendor and product, such as google-_-chrome."`
	}
	out := vulnerabilityOutput("MicrosoftATP.SoftwareCVE",
		"id", "name", "description", "severity", "cvssV3", "publishedOn", "updatedOn", "exposedMachines", "exploitVerified", "publicExploit")
	return declare(Command{
		Name: "microsoft-atp-list-vulnerabilities-by-software", Area: Software,
		Help:    "Lists the vulnerabilities of software.",
		Uses:    []defender.Operation{defender.ListSoftwareVulnerabilities},
		Outputs: []Output{out, cveOutput(), scoreOutput()},
		Example: softwareExample,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return aboutEach(ctx, run, "id", in.IDs, run.API.SoftwareVulnerabilities, func(list defender.List) []warroom.Entry {
			return vulnerabilityEntries(run, out, cveOutput(), list)
		})
	})
}

func listMachineVulnerabilities() Command {
	type args struct {
		Machines   []string `arg:"machine_id" help:"IDs of machines."`
		Software   []string `arg:"software_id" help:"The IDs of the software, made of vendor and product, such as google-_-chrome, or IDs of rows of this list."`
		CVEs       []string `arg:"cve_id" help:"IDs of vulnerabilities, such as CVE-2026-12345."`
		Products   []string `arg:"product_name" help:"Names of products."`
		Versions   []string `arg:"product_version" help:"Versions of products."`
		Severities []string `arg:"severity" values:"Low,Medium,High,Critical" help:"The severities."`
		Vendors    []string `arg:"product_vendor" help:"Names of vendors."`
		Limit      int      `arg:"limit" default:"25" min:"1" help:"The maximum number of rows to return."`
		Offset     int      `arg:"offset" default:"0" min:"0" help:"The number of rows to skip."`
	}
	out := Output{
		Path: "MicrosoftATP.MachineCVE", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The row's ID, made of machine, vulnerability, vendor, product, version and update."),
			asGiven("cveId", warroom.String, "The vulnerability's ID."),
			asGiven("machineId", warroom.String, "The machine's ID."),
			asGiven("fixingKbId", warroom.Unknown, "The number of the update that fixes it."),
			asGiven("productName", warroom.String, "The product that causes it."),
			asGiven("productVendor", warroom.String, "The product's vendor."),
			asGiven("productVersion", warroom.String, "The product's version."),
			asGiven("severity", warroom.String, "The severity: Low, Medium, High or Critical."),
		),
		Title:   "Vulnerabilities by machine",
		Columns: []string{"severity", "cveId", "productName", "productVendor", "productVersion", "machineId", "id"}, Pages: map[string]string{"machineId": machinePage},
		Empty: "No machine has a matching vulnerability.",
	}
	// The rows have only the ID of a vulnerability.
	cve := cveOutput()
	cve.View = cve.View.Only("ID")
	return declare(Command{
		Name: "microsoft-atp-list-vulnerabilities-by-machine", Area: Software,
		Help:    "Lists which machine has which vulnerability because of which software, limited to the rows that match all the given conditions.",
		Uses:    []defender.Operation{defender.ListMachineVulnerabilities},
		Outputs: []Output{out, cve, scoreOutput()},
		Example: `machine_id=` + exampleMachine + ` severity=Critical`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		vulnerabilities, err := run.API.MachineVulnerabilities(ctx, defender.Query{
			Filter: defender.And(
				defender.EqualAny("machineId", in.Machines),
				ofSoftware(in.Software),
				defender.EqualAny("cveId", in.CVEs),
				defender.EqualAny("productName", in.Products),
				defender.EqualAny("productVersion", in.Versions),
				defender.EqualAny("severity", in.Severities),
				defender.EqualAny("productVendor", in.Vendors),
			),
			Limit: in.Limit, Skip: in.Offset, FromStart: true,
		})
		if err != nil {
			return Report{}, err
		}
		return report(vulnerabilityEntries(run, out, cve, vulnerabilities)...), nil
	})
}

// ofSoftware returns the filter for rows of any of the products. The rows do not have the ID of the software, but its
// vendor and its name, which the ID is made of. Anything else is the ID of a row.
func ofSoftware(ids []string) defender.Filter {
	filters := make([]defender.Filter, len(ids))
	for i, id := range ids {
		filters[i] = defender.Equal("id", id)
		if parts := strings.Split(id, "-_-"); len(parts) == 2 {
			filters[i] = defender.And(defender.Equal("productVendor", parts[0]), defender.Equal("productName", parts[1]))
		}
	}
	return defender.Or(filters...)
}

func listVulnerabilityMachines() Command {
	type args struct {
		CVEs []string `arg:"cve_id" required:"true" help:"IDs of vulnerabilities, such as CVE-2026-12345."`
	}
	out := Output{
		Path: "MicrosoftATP.CveMachine", Key: keyedByCapitalID,
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The machine's ID."},
			warroom.Field{Name: "ComputerDNSName", From: "computerDnsName", Type: warroom.String, Help: "The machine's fully qualified name."},
			warroom.Field{Name: "OSPlatform", From: "osPlatform", Type: warroom.String, Help: "The operating system."},
			warroom.Field{Name: "RBACGroupID", From: "rbacGroupId", Type: warroom.Number, Help: "The ID of the device group."},
			warroom.Field{Name: "RBACGroupName", From: "rbacGroupName", Type: warroom.String, Help: "The name of the device group."},
			warroom.Field{Name: "CVE", From: "cve", Type: warroom.Unknown, Help: "The given vulnerabilities that the machine has."},
		),
		Title:   "Machines with the vulnerabilities",
		Columns: []string{"CVE", "ComputerDNSName", "OSPlatform", "RBACGroupName", "ID", "RBACGroupID"}, Pages: machinePages(),
		Empty: "No machine has one of the vulnerabilities.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-machines-by-vulnerability", Unnamed: "cve_id", Area: Software,
		Help:    "Lists the machines that have any of several vulnerabilities, and which of them.",
		Uses:    []defender.Operation{defender.ListVulnerabilityMachines},
		Outputs: []Output{out},
		Example: `cve_id=CVE-2026-12345`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return aboutEach(ctx, run, "cve_id", in.CVEs, telling("cve", run.API.VulnerabilityMachines), together(func(list defender.List) warroom.Entry {
			list.Items = machinesOnce(list.Items)
			return out.listEntry(list)
		}))
	})
}

// machinesOnce joins the rows of each machine, one for every vulnerability, into one row with all of them.
func machinesOnce(rows []rawjson.Value) []rawjson.Value {
	var machines []rawjson.Value
	place := map[string]int{}
	cves := map[string][]string{}
	for _, row := range rows {
		machine := row.Text("id")
		if _, known := place[machine]; !known {
			place[machine] = len(machines)
			machines = append(machines, row)
		}
		cves[machine] = append(cves[machine], row.Text("cve"))
	}
	for machine, i := range place {
		machines[i] = with(machines[i], "cve", cves[machine])
	}
	return machines
}
