package commands

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The six commands that once spoke to Microsoft Graph's indicators. They work on the same API as the
// microsoft-atp-sc-indicator commands that replace them, as far as that knows what they know; the rest is
// refused.
func oldIndicatorCommands() []entry {
	return []entry{
		{"microsoft-atp-indicator-list", listOldIndicators},
		{"microsoft-atp-indicator-get-by-id", getOldIndicator},
		{"microsoft-atp-indicator-create-file", createOldFileIndicator},
		{"microsoft-atp-indicator-create-network", createOldNetworkIndicator},
		{"microsoft-atp-indicator-update", updateOldIndicator},
		{"microsoft-atp-indicator-delete", deleteOldIndicator},
	}
}

// submitCommand replaces the old commands that make indicators.
const submitCommand = "microsoft-atp-sc-indicator-create"

// todaysSeverity gives a severity of the old commands in today's terms.
func todaysSeverity(old string) string {
	if old == "MediumLow" || old == "MediumHigh" {
		return "Medium"
	}
	return old
}

// todaysAction gives an action of the old commands in today's terms; "" for unknown, which has none.
func todaysAction(old string) string {
	switch old {
	case "allow":
		return "Allowed"
	case "block":
		return "Block"
	case "alert":
		return audit
	}
	return ""
}

// oldIndicatorView shows an indicator with the keys of the old commands.
func oldIndicatorView(severity warroom.Type) *warroom.View {
	valueOf := func(name, help string, fits func(indicator rawjson.Value) bool) warroom.Field {
		return warroom.Field{Name: name, Type: warroom.String, Help: help, Make: func(indicator rawjson.Value) warroom.Value {
			if !fits(indicator) {
				return nil
			}
			return warroom.Text(indicator.Text("indicatorValue"))
		}}
	}
	return warroom.NewView(
		asGiven("id", warroom.String, "The indicator's ID."),
		warroom.Field{Name: "action", Type: warroom.String, Help: "What is done where the indicator is met: allow, block, alert or unknown.", Make: oldAction},
		gone("additionalInformation", warroom.String),
		gone("azureTenantId", warroom.String),
		gone("confidence", warroom.Number),
		asGiven("description", warroom.String, "What the indicator is about."),
		gone("diamondModel", warroom.String),
		valueOf("domainName", "The domain.", hasType("DomainName")),
		warroom.Field{Name: "expirationDateTime", From: "expirationTime", Type: warroom.Date, Help: "When the indicator expires."},
		warroom.Field{Name: "externalId", From: "externalId|externalID", Type: warroom.String, Help: "The ID that its source gave it."},
		gone("fileCompileDateTime", warroom.Date),
		gone("fileCreatedDateTime", warroom.Date),
		warroom.Field{Name: "fileHashType", Type: warroom.String, Help: "The kind of the file's hash: sha1, sha256 or md5.", Make: oldHashType},
		valueOf("fileHashValue", "The file's hash.", func(indicator rawjson.Value) bool { return oldHashType(indicator) != nil }),
		gone("fileMutexName", warroom.String),
		gone("fileName", warroom.String),
		gone("filePacker", warroom.String),
		gone("filePath", warroom.String),
		gone("fileSize", warroom.Number),
		gone("fileType", warroom.String),
		warroom.Field{Name: "ingestedDateTime", From: "creationTimeDateTimeUtc", Type: warroom.Date, Help: "When the indicator was made."},
		warroom.Field{Name: "isActive", Type: warroom.Boolean, Help: "Always true: the service knows no other indicators.", Make: func(rawjson.Value) warroom.Value { return warroom.Raw("true") }},
		gone("knownFalsePositives", warroom.String),
		warroom.Field{Name: "lastReportedDateTime", From: "lastUpdateTime", Type: warroom.Date, Help: "When the indicator last changed."},
		gone("networkCidrBlock", warroom.String),
		gone("networkDestinationAsn", warroom.Number),
		gone("networkDestinationCidrBlock", warroom.String),
		gone("networkDestinationIPv4", warroom.String),
		gone("networkDestinationIPv6", warroom.String),
		gone("networkDestinationPort", warroom.Number),
		valueOf("networkIPv4", "The IPv4 address.", hasAddress(netip.Addr.Is4)),
		valueOf("networkIPv6", "The IPv6 address.", hasAddress(netip.Addr.Is6)),
		gone("networkPort", warroom.Number),
		gone("networkProtocol", warroom.Number),
		gone("networkSourceAsn", warroom.Number),
		gone("networkSourceCidrBlock", warroom.String),
		gone("networkSourceIPv4", warroom.String),
		gone("networkSourceIPv6", warroom.String),
		gone("networkSourcePort", warroom.Number),
		gone("passiveOnly", warroom.Boolean),
		warroom.Field{Name: "severity", Type: severity, Help: "How severe it is: Informational, Low, MediumHigh or High.", Make: oldSeverity},
		warroom.Field{Name: "targetProduct", Type: warroom.String, Help: "Always Microsoft Defender ATP.", Make: func(rawjson.Value) warroom.Value { return warroom.Text("Microsoft Defender ATP") }},
		gone("threatType", warroom.String),
		gone("tlpLevel", warroom.String),
		valueOf("url", "The URL.", hasType("Url")),
		gone("userAgent", warroom.String),
		gone("vendorInformation", warroom.String),
	)
}

// gone is a field that stays declared although nothing fills it any more.
func gone(name string, kind warroom.Type) warroom.Field {
	return warroom.Field{Name: name, Type: kind, Help: "No longer filled: the service has nothing to show here.", Gone: true}
}

// without gives the output with fields that its command never fills.
func without(out Output, names ...string) Output {
	fields := slices.Clone(out.View.Fields)
	for i, field := range fields {
		if slices.Contains(names, field.Name) {
			fields[i] = gone(field.Name, field.Type)
		}
	}
	out.View = warroom.NewView(fields...)
	return out
}

func hasType(name string) func(rawjson.Value) bool {
	return func(indicator rawjson.Value) bool { return indicator.Text("indicatorType") == name }
}

func hasAddress(of func(netip.Addr) bool) func(rawjson.Value) bool {
	return func(indicator rawjson.Value) bool {
		address, err := netip.ParseAddr(indicator.Text("indicatorValue"))
		return err == nil && indicator.Text("indicatorType") == "IpAddress" && of(address)
	}
}

// oldAction is today's action as the old commands called it. They had no word for Warn.
func oldAction(indicator rawjson.Value) warroom.Value {
	switch indicator.Text("action") {
	case "Allowed":
		return warroom.Text("allow")
	case "Block", blockAndRemediate, "AlertAndBlock":
		return warroom.Text("block")
	case audit, "Alert":
		return warroom.Text("alert")
	}
	return warroom.Text("unknown")
}

func oldHashType(indicator rawjson.Value) warroom.Value {
	if kind, file := strings.CutPrefix(indicator.Text("indicatorType"), "File"); file {
		return warroom.Text(strings.ToLower(kind))
	}
	return nil
}

// oldSeverity gives Medium as MediumHigh, which the old commands ask for unless told otherwise.
func oldSeverity(indicator rawjson.Value) warroom.Value {
	switch severity := indicator.Text("severity"); severity {
	case "":
		return nil
	case "Medium":
		return warroom.Text("MediumHigh")
	default:
		return warroom.Text(severity)
	}
}

func oldIndicatorOutput(title string, severity warroom.Type) Output {
	return Output{
		Path: "MicrosoftATP.Indicators", Key: "val.id == obj.id", View: oldIndicatorView(severity), Title: title,
		Columns: []string{"id", "action", "severity", "fileHashType", "fileHashValue", "domainName", "networkIPv4", "networkIPv6", "url"},
		Empty:   "There is no indicator.",
	}
}

// oldFileOutput is the standard path of files with what the old commands once put there besides hashes.
func oldFileOutput() Output {
	out := fileOutput()
	out.View = out.View.With(
		gone("Name", warroom.String), gone("Size", warroom.Number), gone("SHA512", warroom.String), gone("Type", warroom.String), gone("Path", warroom.String),
	)
	return out
}

// oldPaths are the context paths of an old command that shows indicators of these kinds. The old commands give no
// scores.
func oldPaths(own Output, kinds ...indicatorType) indicatorPaths {
	paths := indicatorPaths{own: own}
	for _, standard := range standardOutputs() {
		if standard.kind == fileIndicator {
			standard.out = oldFileOutput()
		}
		if slices.Contains(kinds, standard.kind) {
			paths.standard = append(paths.standard, standard)
		}
	}
	return paths
}

func allKinds() []indicatorType {
	return []indicatorType{fileIndicator, ipIndicator, domainIndicator, urlIndicator}
}

func listOldIndicators() Command {
	type args struct {
		Limit    int `arg:"limit" default:"50" min:"1" help:"How many indicators to show at the most."`
		PageSize int `arg:"page_size" default:"50" min:"1" help:"Of no effect any more: pages are as large as the service allows." deprecated:"true"`
	}
	paths := oldPaths(oldIndicatorOutput("Indicators", warroom.String), allKinds()...)
	return declare(Command{
		Name: "microsoft-atp-indicator-list", Area: Indicators, Deprecated: "microsoft-atp-sc-indicator-list",
		Help:    "Lists the indicators of the tenant that have not expired.",
		Uses:    []defender.Operation{defender.ListIndicators},
		Outputs: paths.outputs(),
		Example: `limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		indicators, err := run.API.Indicators(ctx, defender.Query{Limit: in.Limit})
		if err != nil {
			return Report{}, err
		}
		entry := paths.own.list(indicators)
		entry.Context = append(entry.Context, paths.standardContext(indicators.Items...)...)
		return report(entry), nil
	})
}

func getOldIndicator() Command {
	return showsIndicator(
		Command{Name: "microsoft-atp-indicator-get-by-id", Deprecated: "microsoft-atp-sc-indicator-get-by-id"},
		oldPaths(oldIndicatorOutput("Indicator", warroom.String), allKinds()...),
	)
}

// oldArguments are what the old commands that make an indicator say of it, whatever it is for.
type oldArguments struct {
	Action      string        `arg:"action" required:"true" values:"unknown,allow,block,alert" help:"What to do where the indicator is met. The service does not take unknown any more."`
	Description string        `arg:"description" required:"true" help:"What the indicator is about."`
	Expiration  time.Duration `arg:"expiration_time" required:"true" help:"After which time span the indicator expires, such as 7 days."`
	ThreatType  string        `arg:"threat_type" required:"true" values:"Botnet,C2,CryptoMining,Darknet,DDoS,MaliciousUrl,Malware,Phishing,Proxy,PUA,WatchList" help:"The kind of threat. It becomes part of the title."`
	TLP         string        `arg:"tlp_level" values:"unknown,white,green,amber" help:"How far it may be passed on, by the Traffic Light Protocol. It becomes part of the title."`
	Confidence  *int          `arg:"confidence" min:"0" max:"100" help:"How sure it is that the indicator is malicious, from 0 to 100. It becomes part of the title."`
	Severity    string        `arg:"severity" default:"MediumHigh" values:"Informational,Low,MediumLow,MediumHigh,High,Medium" help:"How severe it is. The service knows one Medium only."`
	Tags        []string      `arg:"tags" list:"false" help:"Tags. They become part of the title."`
}

// title keeps what the service has no fields for where an analyst sees it.
func (in oldArguments) title() string {
	parts := []string{in.ThreatType}
	if in.TLP != "" {
		parts = append(parts, "TLP "+in.TLP)
	}
	if in.Confidence != nil {
		parts = append(parts, fmt.Sprintf("confidence %d", *in.Confidence))
	}
	return strings.Join(append(parts, in.Tags...), ", ")
}

// submit makes the indicator for a value by today's rules.
func (in oldArguments) submit(ctx context.Context, run *Run, paths indicatorPaths, value oldValue) (Report, error) {
	action := todaysAction(in.Action)
	if action == "" {
		return Report{}, wrong(run, "the service has no equivalent of the action %s any more: see %s", in.Action, submitCommand)
	}
	wanted, _, err := indicatorArguments{
		Value: value.text, Type: value.kind, Action: action, Severity: todaysSeverity(in.Severity),
		Expiration: in.Expiration, Description: in.Description, Title: in.title(),
	}.indicator(run)
	if err != nil {
		return Report{}, err
	}
	indicator, err := run.API.SubmitIndicator(ctx, wanted)
	if err != nil {
		return Report{}, err
	}
	return report(paths.entry(run, indicator)), nil
}

// oldValue is what an indicator is for, with the service's name of its type.
type oldValue struct{ kind, text string }

// refuseLost refuses arguments for which the service has no equivalent any more: without them the indicator would match
// more than was asked for.
func refuseLost(run *Run) error {
	var lost []string
	for _, argument := range run.command.Arguments() {
		if argument.Refused && !absent(gjson.ParseBytes(run.raw[argument.Name])) {
			lost = append(lost, argument.Name)
		}
	}
	if lost == nil {
		return nil
	}
	return wrong(run, "the service has no equivalent of %s any more: use %s for what it can do", strings.Join(lost, ", "), submitCommand)
}

// oldFileArguments say which file an indicator is for.
type oldFileArguments struct {
	oldArguments
	Compiled string `arg:"file_compile_date_time" deprecated:"refused" help:"Not supported any more: when the file was compiled."`
	Created  string `arg:"file_created_date_time" deprecated:"refused" help:"Not supported any more: when the file was made."`
	HashType string `arg:"file_hash_type" values:"unknown,sha1,sha256,md5,authenticodeHash256,lsHash,ctph" help:"The kind of the file's hash: sha1, sha256 or md5. Others are not supported any more."`
	Hash     string `arg:"file_hash_value" help:"The file's hash. It has to be given."`
	Mutex    string `arg:"file_mutex_name" deprecated:"refused" help:"Not supported any more: a mutex of the file."`
	FileName string `arg:"file_name" deprecated:"refused" help:"Not supported any more: the file's name."`
	Packer   string `arg:"file_packer" deprecated:"refused" help:"Not supported any more: the packer of the file."`
	FilePath string `arg:"file_path" deprecated:"refused" help:"Not supported any more: the file's path."`
	FileSize string `arg:"file_size" deprecated:"refused" help:"Not supported any more: the file's size."`
	FileType string `arg:"file_type" deprecated:"refused" help:"Not supported any more: the kind of file."`
}

// value is the file's hash. Its kind is told by its length when it is not said.
func (in oldFileArguments) value(run *Run) (oldValue, error) {
	if err := refuseLost(run); err != nil {
		return oldValue{}, err
	}
	if in.Hash == "" {
		return oldValue{}, wrong(run, "file_hash_value is missing: the service knows files by their hashes only")
	}
	unsaid := in.HashType == "" || in.HashType == "unknown"
	for _, kind := range indicatorKinds() {
		if strings.EqualFold(kind.name, "File"+in.HashType) || (unsaid && kind.score == fileIndicator && kind.problem(in.Hash) == "") {
			return oldValue{kind.name, in.Hash}, nil
		}
	}
	return oldValue{}, wrong(run, "the service knows files by their SHA-1, SHA-256 and MD5 hashes only: see %s", submitCommand)
}

func createOldFileIndicator() Command {
	own := without(oldIndicatorOutput("Indicator created", warroom.Number), "domainName", "networkIPv4", "networkIPv6", "url")
	paths := oldPaths(own, fileIndicator)
	return declare(Command{
		Name: "microsoft-atp-indicator-create-file", Area: Indicators, Deprecated: submitCommand,
		Help:    "Makes an indicator for a file, which is known by its hash.",
		Uses:    []defender.Operation{defender.SubmitIndicator},
		Outputs: paths.outputs(),
		Example: `action=block description="ticket 4711" expiration_time="30 days" threat_type=Malware file_hash_type=sha1 file_hash_value=3395856ce81f2b7382dee72602f798b642f14140`,
	}, func(ctx context.Context, run *Run, in oldFileArguments) (Report, error) {
		value, err := in.value(run)
		if err != nil {
			return Report{}, err
		}
		return in.submit(ctx, run, paths, value)
	})
}

// oldNetworkArguments say which domain, address or URL an indicator is for.
type oldNetworkArguments struct {
	oldArguments
	Domain               string `arg:"domain_name" help:"A domain."`
	CIDRBlock            string `arg:"network_cidr_block" deprecated:"refused" help:"Not supported any more: a range of addresses."`
	DestinationASN       string `arg:"network_destination_asn" deprecated:"refused" help:"Not supported any more: the number of the autonomous system connected to."`
	DestinationCIDRBlock string `arg:"network_destination_cidr_block" deprecated:"refused" help:"Not supported any more: the range of addresses connected to."`
	DestinationIPv4      string `arg:"network_destination_ipv4" help:"The IPv4 address connected to."`
	DestinationIPv6      string `arg:"network_destination_ipv6" help:"The IPv6 address connected to."`
	DestinationPort      string `arg:"network_destination_port" deprecated:"refused" help:"Not supported any more: the port connected to."`
	IPv4                 string `arg:"network_ipv4" help:"An IPv4 address."`
	IPv6                 string `arg:"network_ipv6" help:"An IPv6 address."`
	Port                 string `arg:"network_port" deprecated:"refused" help:"Not supported any more: a port."`
	Protocol             string `arg:"network_protocol" deprecated:"refused" help:"Not supported any more: the number of a protocol."`
	SourceASN            string `arg:"network_source_asn" deprecated:"refused" help:"Not supported any more: the number of the autonomous system that connects."`
	SourceCIDRBlock      string `arg:"network_source_cidr_block" deprecated:"refused" help:"Not supported any more: the range of addresses that connects."`
	SourceIPv4           string `arg:"network_source_ipv4" deprecated:"refused" help:"Not supported any more: the IPv4 address that connects."`
	SourceIPv6           string `arg:"network_source_ipv6" deprecated:"refused" help:"Not supported any more: the IPv6 address that connects."`
	SourcePort           string `arg:"network_source_port" deprecated:"refused" help:"Not supported any more: the port that connects."`
	URL                  string `arg:"url" help:"A URL."`
	UserAgent            string `arg:"user_agent" deprecated:"refused" help:"Not supported any more: the user agent of a request."`
}

// value is the one domain, address or URL given. The service matches addresses that machines connect to.
func (in oldNetworkArguments) value(run *Run) (oldValue, error) {
	if err := refuseLost(run); err != nil {
		return oldValue{}, err
	}
	var given []oldValue
	for _, value := range []oldValue{
		{"DomainName", in.Domain},
		{"IpAddress", in.IPv4},
		{"IpAddress", in.IPv6},
		{"IpAddress", in.DestinationIPv4},
		{"IpAddress", in.DestinationIPv6},
		{"Url", in.URL},
	} {
		if value.text != "" {
			given = append(given, value)
		}
	}
	if len(given) != 1 {
		return oldValue{}, wrong(run, "one domain, IP address or URL has to be given, not %d: an indicator is for one value", len(given))
	}
	return given[0], nil
}

func createOldNetworkIndicator() Command {
	own := without(oldIndicatorOutput("Indicator created", warroom.Number), "fileHashType", "fileHashValue")
	paths := oldPaths(own, ipIndicator, domainIndicator, urlIndicator)
	file := Output{Path: "File", View: warroom.NewView(gone("Name", warroom.String))}
	return declare(Command{
		Name: "microsoft-atp-indicator-create-network", Area: Indicators, Deprecated: submitCommand,
		Help:    "Makes an indicator for a domain, an IP address or a URL. One of them has to be given.",
		Uses:    []defender.Operation{defender.SubmitIndicator},
		Outputs: append(paths.outputs(), file),
		Example: `action=block description="ticket 4711" expiration_time="30 days" threat_type=Botnet network_ipv4=198.51.100.3`,
	}, func(ctx context.Context, run *Run, in oldNetworkArguments) (Report, error) {
		value, err := in.value(run)
		if err != nil {
			return Report{}, err
		}
		return in.submit(ctx, run, paths, value)
	})
}

func updateOldIndicator() Command {
	type args struct {
		ID          string        `arg:"indicator_id" required:"true" help:"The ID of an indicator."`
		Severity    string        `arg:"severity" default:"MediumHigh" values:"Informational,Low,MediumLow,MediumHigh,High,Medium" help:"How severe it is. The service knows one Medium only."`
		Expiration  time.Duration `arg:"expiration_time" required:"true" help:"After which time span the indicator expires, such as 7 days."`
		Description string        `arg:"description" help:"What the indicator is about."`
	}
	paths := oldPaths(oldIndicatorOutput("Indicator updated", warroom.String), allKinds()...)
	return declare(Command{
		Name: "microsoft-atp-indicator-update", Area: Indicators, Deprecated: "microsoft-atp-sc-indicator-update",
		Help:    "Changes when an indicator expires, how severe it is and what it is about.",
		Uses:    []defender.Operation{defender.GetIndicator, defender.SubmitIndicator},
		Outputs: paths.outputs(),
		Example: `indicator_id=996 expiration_time="30 days" severity=High`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if in.Expiration <= 0 {
			return Report{}, wrong(run, "expiration_time has to be longer than nothing")
		}
		current, err := run.API.Indicator(ctx, in.ID)
		if err != nil {
			return Report{}, err
		}
		today, notes := todaysActions([]rawjson.Value{current})
		wanted, err := defender.IndicatorOf(today[0])
		if err != nil {
			return Report{}, err
		}
		wanted.Severity, wanted.ExpirationTime = todaysSeverity(in.Severity), expiry(run, in.Expiration)
		wanted.Description = cmp.Or(in.Description, wanted.Description)
		if wanted.Action == audit {
			wanted.GenerateAlert = new(true)
		}
		changed, err := run.API.SubmitIndicator(ctx, wanted)
		if err != nil {
			return Report{}, err
		}
		entry := paths.entry(run, changed)
		entry.Blocks = append(entry.Blocks, notes...)
		return report(entry), nil
	})
}

func deleteOldIndicator() Command {
	return indicatorDeletion("microsoft-atp-indicator-delete", "microsoft-atp-sc-indicator-delete")
}
