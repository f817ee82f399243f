package commands

import (
	"strings"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The platform's standard context objects: all integrations describe a file, an address and so on at the same paths
// with the same keys, so that playbooks can read them whatever the integration. A handler that shows one appends
// standardOutput().context(objects) to its entry's context, and declares standardOutput() among its outputs.

// verdict is a verdict on an indicator, in the platform's numbers.
type verdict int

// The verdicts. That the tenant blocks an indicator, or that the service knows a vulnerability, is unknown: it must not
// outweigh another vendor's verdict. Only what the service thinks of a file, or of a piece of evidence, is a verdict of its own.
const (
	verdictUnknown    verdict = 0
	verdictGood       verdict = 1
	verdictSuspicious verdict = 2
	verdictBad        verdict = 3
)

// indicatorType is the kind of indicator that a score is about, in the platform's terms.
type indicatorType string

// The kinds of indicators that have scores.
const (
	fileIndicator   indicatorType = "file"
	ipIndicator     indicatorType = "ip"
	domainIndicator indicatorType = "domain"
	urlIndicator    indicatorType = "url"
	cveIndicator    indicatorType = "cve"
)

// scoreOutput returns the context path of scores. vendorScore makes its objects.
func scoreOutput() Output {
	return Output{
		Path: "DBotScore", Key: "val.Indicator && val.Indicator == obj.Indicator && val.Vendor == obj.Vendor && val.Type == obj.Type",
		View: warroom.NewView(
			warroom.Field{Name: "Indicator", From: "Indicator", Type: warroom.String, Help: "The indicator that the score is about."},
			warroom.Field{Name: "Type", From: "Type", Type: warroom.String, Help: "The kind of indicator: file, ip, domain, url or cve."},
			warroom.Field{Name: "Vendor", From: "Vendor", Type: warroom.String, Help: "The vendor of the score."},
			warroom.Field{Name: "Score", From: "Score", Type: warroom.Number, Help: "0 unknown, 1 good, 2 suspicious, 3 bad."},
			warroom.Field{Name: "Reliability", From: "Reliability", Type: warroom.String, Help: "The vendor's reliability, as configured in the instance."},
		),
	}
}

// unjudged returns the score of an indicator that the service does not judge, for scoreOutput.
func unjudged(run *Run, indicator string, kind indicatorType) rawjson.Value {
	return vendorScore(run, run.Brand, indicator, kind, verdictUnknown)
}

// vendorScore returns the score of one indicator under the name of a vendor, for scoreOutput.
func vendorScore(run *Run, vendor, indicator string, kind indicatorType, score verdict) rawjson.Value {
	type object struct {
		Indicator   string
		Type        indicatorType
		Vendor      string
		Score       verdict
		Reliability string `json:",omitempty"`
	}
	return rawjson.Make(object{indicator, kind, vendor, score, run.Instance.Reliability})
}

// ipOutput, domainOutput and urlOutput return the standard paths of objects that consist of one text. ipObject,
// domainObject and urlObject make the objects.
func ipOutput() Output { return namedOutput("IP", "Address", "The IP address.") }

func domainOutput() Output { return namedOutput("Domain", "Name", "The domain's name.") }

func urlOutput() Output { return namedOutput("URL", "Data", "The URL.") }

func namedOutput(path, key, help string) Output {
	return Output{
		Path: path, Key: "val." + key + " && val." + key + " == obj." + key,
		View: warroom.NewView(warroom.Field{Name: key, From: key, Type: warroom.String, Help: help}),
	}
}

func ipObject(address string) rawjson.Value {
	return rawjson.Make(map[string]string{"Address": address})
}

func domainObject(name string) rawjson.Value { return rawjson.Make(map[string]string{"Name": name}) }

func urlObject(data string) rawjson.Value { return rawjson.Make(map[string]string{"Data": data}) }

// fileOutput returns the standard path of files. fileObject makes its objects.
func fileOutput() Output {
	return Output{
		Path: "File",
		Key: "val.MD5 && val.MD5 == obj.MD5 || val.SHA1 && val.SHA1 == obj.SHA1 || val.SHA256 && val.SHA256 == obj.SHA256 || " +
			"val.SHA512 && val.SHA512 == obj.SHA512 || val.CRC32 && val.CRC32 == obj.CRC32 || val.CTPH && val.CTPH == obj.CTPH || " +
			"val.SSDeep && val.SSDeep == obj.SSDeep",
		View: warroom.NewView(
			warroom.Field{Name: "MD5", From: "MD5", Type: warroom.String, Help: "The file's MD5 hash."},
			warroom.Field{Name: "SHA1", From: "SHA1", Type: warroom.String, Help: "The file's SHA-1 hash."},
			warroom.Field{Name: "SHA256", From: "SHA256", Type: warroom.String, Help: "The file's SHA-256 hash."},
			warroom.Field{Name: "Hashes", From: "Hashes", Of: hashView()},
		),
	}
}

func hashView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "type", From: "type", Type: warroom.String, Help: "The kind of a hash of the file."},
		warroom.Field{Name: "value", From: "value", Type: warroom.String, Help: "The hash."},
	)
}

// hashKind is a kind of file hash, as the standard File object spells it.
type hashKind string

// The kinds of hashes by which the service identifies files.
const (
	md5Hash    hashKind = "MD5"
	sha1Hash   hashKind = "SHA1"
	sha256Hash hashKind = "SHA256"
)

// hashKindOf returns the kind of a hash by its length, or "" if the text is not a hash.
func hashKindOf(text string) hashKind {
	for _, known := range []struct {
		kind   hashKind
		digits int
	}{{md5Hash, 32}, {sha1Hash, 40}, {sha256Hash, 64}} {
		if isHex(text, known.digits) {
			return known.kind
		}
	}
	return ""
}

// fileObject returns the file with this hash, for fileOutput.
func fileObject(kind hashKind, hash string) rawjson.Value {
	return rawjson.Make(map[string]any{
		string(kind): hash,
		"Hashes":     []map[string]string{{"type": string(kind), "value": hash}},
	})
}

// cveOutput returns the standard path of vulnerabilities. Its objects are those of the service.
func cveOutput() Output {
	return Output{
		Path: "CVE", Key: keyedByCapitalID,
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "cveId|id", Type: warroom.String, Help: "The CVE's ID."},
			warroom.Field{Name: "CVSS", Make: cvss, Of: warroom.NewView(
				warroom.Field{Name: "Score", From: "Score", Type: warroom.Number, Help: "The CVSS score."},
			)},
			warroom.Field{Name: "Published", From: "publishedOn", Type: warroom.Date, Help: "When the vulnerability was published."},
			warroom.Field{Name: "Modified", From: "updatedOn", Type: warroom.Date, Help: "When its description last changed."},
			warroom.Field{Name: "Description", From: "description", Type: warroom.String, Help: "What the vulnerability is."},
		),
	}
}

// cvss puts the score of a vulnerability where the standard expects it.
func cvss(vulnerability rawjson.Value) warroom.Value {
	if !vulnerability.Has("cvssV3") {
		return nil
	}
	return warroom.Group{{Key: "Score", Value: warroom.Raw(vulnerability.Key("cvssV3").Raw)}}
}

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}
