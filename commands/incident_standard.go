package commands

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// incidentStandards returns the platform's standard paths that the evidence of incidents fills. The keys are those of
// https://xsoar.pan.dev/docs/integrations/context-standards-mandatory.
func incidentStandards() []Output {
	file := fileOutput()
	file.View = file.View.Only("SHA1", "SHA256", "Hashes").With(
		asGiven("Name", warroom.String, "The file's name."),
		asGiven("Path", warroom.String, "The folder of the file."),
	)
	return []Output{
		file, ipOutput(), domainOutput(), urlOutput(),
		{
			Path: "Account", Key: keyedByCapitalID,
			View: warroom.NewView(
				asGiven("ID", warroom.String, "The user's object ID in Microsoft Entra, or else the security identifier or the name."),
				asGiven("Username", warroom.String, "The user principal name, or else the name of the account."),
				asGiven("DisplayName", warroom.String, "The user's display name."),
				asGiven("Domain", warroom.String, "The domain of the account."),
				asGiven("SID", warroom.String, "The security identifier."),
			),
		},
		{
			Path: "Endpoint", Key: "val.ID && val.ID == obj.ID && val.Vendor == obj.Vendor",
			View: warroom.NewView(append(hostFields(),
				asGiven("Status", warroom.String, "Online or Offline, as far as the state of the sensor tells."),
				asGiven("Vendor", warroom.String, "Always "+endpointVendor+"."),
			)...),
		},
		{Path: "Host", Key: keyedByCapitalID, View: warroom.NewView(hostFields()...)},
		scoreOutput(),
	}
}

func hostFields() []warroom.Field {
	return []warroom.Field{
		asGiven("ID", warroom.String, "The machine ID that the machine commands take."),
		asGiven("Hostname", warroom.String, "The machine's name."),
		asGiven("OS", warroom.String, "The operating system."),
		asGiven("OSVersion", warroom.String, "The version of the operating system."),
		asGiven("IPAddress", warroom.String, "The last internal IP address."),
	}
}

// host is a machine at the standard paths.
type host struct {
	ID        string `json:"ID,omitempty"`
	Hostname  string `json:"Hostname,omitempty"`
	OS        string `json:"OS,omitempty"`
	OSVersion string `json:"OSVersion,omitempty"`
	IPAddress string `json:"IPAddress,omitempty"`
	Status    string `json:"Status,omitempty"`
	Vendor    string `json:"Vendor,omitempty"`
}

// incidentContext puts the evidence of alerts at the standard paths. No score is above the verdict in the evidence.
func incidentContext(run *Run, alerts []rawjson.Value) []warroom.Context {
	sum, found, verdicts := summarize("", alerts), map[string][]rawjson.Value{}, evidenceVerdicts(alerts)
	add := func(path string, object rawjson.Value) { found[path] = append(found[path], object) }
	score := func(indicator string, kind indicatorType) {
		vendor := run.Brand
		if kind == fileIndicator {
			vendor = endpointVendor // as fileScore
		}
		add("DBotScore", vendorScore(run, vendor, indicator, kind, verdicts[strings.ToLower(indicator)]))
	}
	for _, one := range sum.Files {
		var hashes []map[string]string
		file := map[string]any{"Name": one.Name, "Path": one.Path}
		for _, hash := range []string{one.SHA1, one.SHA256} {
			if kind := hashKindOf(hash); kind != "" {
				file[string(kind)], hashes = hash, append(hashes, map[string]string{"type": string(kind), "value": hash})
			}
		}
		if hashes == nil {
			continue // nothing identifies it among files
		}
		file["Hashes"] = hashes
		add("File", rawjson.Make(file))
		score(cmp.Or(one.SHA256, one.SHA1), fileIndicator)
	}
	for _, one := range sum.IPs {
		add("IP", ipObject(one))
		score(one, ipIndicator)
	}
	var domains []string
	for _, one := range sum.URLs {
		add("URL", urlObject(one))
		score(one, urlIndicator)
		domains = once(domains, domainOf(one))
	}
	for _, one := range domains {
		add("Domain", domainObject(one))
	}
	for i, one := range sum.accounts {
		add("Account", rawjson.Make(map[string]string{
			"ID": cmp.Or(one.Text("azureAdUserId"), one.Text("userSid"), sum.Users[i]), "Username": sum.Users[i],
			"DisplayName": one.Text("displayName"), "Domain": one.Text("domainName"), "SID": one.Text("userSid"),
		}))
	}
	for i, one := range sum.Devices {
		if one.ID == "" {
			continue
		}
		machine := host{ID: one.ID, Hostname: one.Name, OS: one.Platform, OSVersion: sum.machines[i].Text("version"), IPAddress: sum.machines[i].Text("lastIpAddress")}
		add("Host", rawjson.Make(machine))
		machine.Vendor = endpointVendor
		switch strings.ToLower(one.Health) {
		case "active", "impairedcommunication", "nosensordata", "nosensordataimpairedcommunication":
			machine.Status = "Online"
		case "inactive":
			machine.Status = "Offline"
		}
		add("Endpoint", rawjson.Make(machine))
	}
	var contexts []warroom.Context
	for _, standard := range incidentStandards() {
		if objects := found[standard.Path]; objects != nil {
			contexts = append(contexts, standard.context(objects))
		}
	}
	return contexts
}

// evidenceVerdicts returns the worst verdict in the evidence on each hash, address and URL, in lower case.
func evidenceVerdicts(alerts []rawjson.Value) map[string]verdict {
	verdicts := map[string]verdict{}
	for _, alert := range alerts {
		for _, one := range alert.Items("evidence") {
			found := verdictUnknown
			switch strings.ToLower(one.Text("verdict")) {
			case "malicious":
				found = verdictBad
			case "suspicious":
				found = verdictSuspicious
			}
			file, image := rawjson.Value(one.Key("fileDetails").Raw), rawjson.Value(one.Key("imageFile").Raw)
			for _, indicator := range []string{
				one.Text("ipAddress"), one.Text("url"), file.Text("sha1"), file.Text("sha256"), image.Text("sha1"), image.Text("sha256"),
			} {
				indicator = strings.ToLower(indicator)
				verdicts[indicator] = max(verdicts[indicator], found)
			}
		}
	}
	return verdicts
}

// domainOf returns the domain of a URL, or "" if its host is an address. The service returns URLs with and without a scheme.
func domainOf(text string) string {
	if !strings.Contains(text, "://") {
		text = "//" + text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return ""
	}
	name := strings.ToLower(parsed.Hostname())
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return ""
	}
	return name
}
