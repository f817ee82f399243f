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

// The six commands that once used the indicators of Microsoft Graph. They use the same API as the
// microsoft-atp-sc-indicator commands that replace them, as far as it has an equivalent; the rest is refused.
func oldIndicatorCommands() []func() Command {
	return []func() Command{
		listOldIndicators,
		getOldIndicator,
		createOldFileIndicator,
		createOldNetworkIndicator,
		updateOldIndicator,
		deleteOldIndicator,
	}
}

// submitCommand replaces the old commands that create indicators.
const submitCommand = "microsoft-atp-sc-indicator-create"

// todaysSeverity translates a severity of the old commands to today's terms.
func todaysSeverity(old string) string {
	if old == "MediumLow" || old == "MediumHigh" {
		return "Medium"
	}
	return old
}

// todaysAction translates an action of the old commands to today's terms; "" for unknown, which has no equivalent.
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
		warroom.Field{Name: "action", Type: warroom.String, Help: "What the service does on a match: allow, block, alert or unknown.", Make: oldAction},
		gone("additionalInformation", warroom.String),
		gone("azureTenantId", warroom.String),
		gone("confidence", warroom.Number),
		asGiven("description", warroom.String, "What the indicator is about."),
		gone("diamondModel", warroom.String),
		valueOf("domainName", "The domain.", hasType("DomainName")),
		warroom.Field{Name: "expirationDateTime", From: "expirationTime", Type: warroom.Date, Help: "When the indicator expires."},
		warroom.Field{Name: "externalId", From: "externalId|externalID", Type: warroom.String, Help: "The ID that its source assigned."},
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
		warroom.Field{Name: "ingestedDateTime", From: "creationTimeDateTimeUtc", Type: warroom.Date, Help: "When the indicator was created."},
		warroom.Field{Name: "isActive", Type: warroom.Boolean, Help: "Always true: the service has only active indicators.", Make: func(rawjson.Value) warroom.Value { return warroom.Raw("true") }},
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

// gone returns a field that is still declared although it is no longer filled.
func gone(name string, kind warroom.Type) warroom.Field {
	return warroom.Field{Name: name, Type: kind, Help: "No longer filled: the service has nothing to show here.", Gone: true}
}

// without returns the output with the named fields marked as never filled.
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

// oldAction translates today's action to the old commands' terms, which have none for Warn.
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

// oldSeverity translates Medium to MediumHigh, the default of the old commands.
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
		Columns: []string{"action", "severity", "fileHashType", "fileHashValue", "domainName", "networkIPv4", "networkIPv6", "url", "id"},
		Empty:   "No indicator was found.",
	}
}

// oldFileOutput returns the standard path of files with the fields that the old commands once filled in addition to
// hashes.
func oldFileOutput() Output {
	out := fileOutput()
	out.View = out.View.With(
		gone("Name", warroom.String), gone("Size", warroom.Number), gone("SHA512", warroom.String), gone("Type", warroom.String), gone("Path", warroom.String),
	)
	return out
}

// oldPaths returns the context paths of an old command that shows indicators of these kinds. The old commands have no
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
		Limit    int `arg:"limit" default:"50" min:"1" help:"The maximum number of indicators to return."`
		PageSize int `arg:"page_size" default:"50" min:"1" help:"No longer has any effect: pages are as large as the service allows." deprecated:"true"`
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
		entry := paths.own.listEntry(indicators)
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

// oldArguments holds the arguments that the old commands for creating indicators share.
type oldArguments struct {
	Action      string        `arg:"action" required:"true" values:"unknown,allow,block,alert" help:"What the service does on a match. The service no longer accepts unknown."`
	Description string        `arg:"description" required:"true" help:"What the indicator is about."`
	Expiration  time.Duration `arg:"expiration_time" required:"true" help:"The time span after which the indicator expires, such as 7 days."`
	ThreatType  string        `arg:"threat_type" required:"true" values:"Botnet,C2,CryptoMining,Darknet,DDoS,MaliciousUrl,Malware,Phishing,Proxy,PUA,WatchList" help:"The kind of threat. It becomes part of the title."`
	TLP         string        `arg:"tlp_level" values:"unknown,white,green,amber" help:"The level of the Traffic Light Protocol at which it may be shared. It becomes part of the title."`
	Confidence  *int          `arg:"confidence" min:"0" max:"100" help:"The confidence that the indicator is malicious, from 0 to 100. It becomes part of the title."`
	Severity    string        `arg:"severity" default:"MediumHigh" values:"Informational,Low,MediumLow,MediumHigh,High,Medium" help:"The severity. The service has a single Medium, which MediumLow and MediumHigh become."`
	Tags        []string      `arg:"tags" list:"false" help:"Tags. They become part of the title."`
}

// title puts what the service has no fields for where an analyst sees it.
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

// submit creates the indicator for a value by today's rules.
func (in oldArguments) submit(ctx context.Context, run *Run, paths indicatorPaths, value oldValue) (Report, error) {
	action := todaysAction(in.Action)
	if action == "" {
		return Report{}, wrong(run, "the service no longer has an equivalent of the action %s: see %s", in.Action, submitCommand)
	}
	wanted, _, err := indicatorArguments{
		Value: value.text, Type: value.kind, Action: action, Severity: todaysSeverity(in.Severity),
		Expiration: &in.Expiration, Description: in.Description, Title: in.title(),
	}.indicator(run)
	if err != nil {
		return Report{}, err
	}
	return paths.submit(ctx, run, wanted, nil)
}

// oldValue is the value of an indicator, with the service's name of its type.
type oldValue struct{ kind, text string }

// oldCreation is an argument struct of a command that creates an indicator.
type oldCreation interface {
	value(run *Run) (oldValue, error)
	submit(ctx context.Context, run *Run, paths indicatorPaths, value oldValue) (Report, error)
}

// createsOld declares a command that creates an indicator.
func createsOld[A oldCreation](paths indicatorPaths, command Command) Command {
	command.Area, command.Deprecated, command.Uses = Indicators, submitCommand, []defender.Operation{defender.SubmitIndicator}
	return declare(command, func(ctx context.Context, run *Run, in A) (Report, error) {
		value, err := in.value(run)
		if err != nil {
			return Report{}, err
		}
		return in.submit(ctx, run, paths, value)
	})
}

// refuseLost refuses arguments for which the service no longer has an equivalent: without them the indicator would
// match more than was asked for.
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
	return wrong(run, "the service no longer has an equivalent of %s: use %s for what it can do", strings.Join(lost, ", "), submitCommand)
}

// oldFileArguments identifies the file that an indicator is for.
type oldFileArguments struct {
	oldArguments
	Compiled string `arg:"file_compile_date_time" deprecated:"refused" help:"No longer supported: when the file was compiled."`
	Created  string `arg:"file_created_date_time" deprecated:"refused" help:"No longer supported: when the file was created."`
	HashType string `arg:"file_hash_type" values:"unknown,sha1,sha256,md5,authenticodeHash256,lsHash,ctph" help:"The kind of the file's hash: sha1, sha256 or md5. Other kinds are no longer supported."`
	Hash     string `arg:"file_hash_value" help:"The file's hash. It is required."`
	Mutex    string `arg:"file_mutex_name" deprecated:"refused" help:"No longer supported: a mutex of the file."`
	FileName string `arg:"file_name" deprecated:"refused" help:"No longer supported: the file's name."`
	Packer   string `arg:"file_packer" deprecated:"refused" help:"No longer supported: the packer of the file."`
	FilePath string `arg:"file_path" deprecated:"refused" help:"No longer supported: the file's path."`
	FileSize string `arg:"file_size" deprecated:"refused" help:"No longer supported: the file's size."`
	FileType string `arg:"file_type" deprecated:"refused" help:"No longer supported: the kind of file."`
}

// value returns the file's hash. If its kind is not given, its length decides.
func (in oldFileArguments) value(run *Run) (oldValue, error) {
	if err := refuseLost(run); err != nil {
		return oldValue{}, err
	}
	if in.Hash == "" {
		return oldValue{}, wrong(run, "file_hash_value is missing: the service identifies files only by their hashes")
	}
	unsaid := in.HashType == "" || in.HashType == "unknown"
	for _, kind := range indicatorKinds() {
		if strings.EqualFold(kind.name, "File"+in.HashType) || (unsaid && kind.score == fileIndicator && kind.problem(in.Hash) == "") {
			return oldValue{kind.name, in.Hash}, nil
		}
	}
	return oldValue{}, wrong(run, "the service identifies files only by their SHA-1, SHA-256 and MD5 hashes: see %s", submitCommand)
}

func createOldFileIndicator() Command {
	own := without(oldIndicatorOutput("Indicator created", warroom.Number), "domainName", "networkIPv4", "networkIPv6", "url")
	paths := oldPaths(own, fileIndicator)
	return createsOld[oldFileArguments](paths, Command{
		Name:    "microsoft-atp-indicator-create-file",
		Help:    "Creates an indicator for a file, identified by its hash.",
		Outputs: paths.outputs(),
		Example: `action=block description="ticket 4711" expiration_time="30 days" threat_type=Malware file_hash_type=sha1 file_hash_value=3395856ce81f2b7382dee72602f798b642f14140`,
	})
}

// oldNetworkArguments identifies the domain, address or URL that an indicator is for.
type oldNetworkArguments struct {
	oldArguments
	Domain               string `arg:"domain_name" help:"A domain."`
	CIDRBlock            string `arg:"network_cidr_block" deprecated:"refused" help:"No longer supported: a range of addresses."`
	DestinationASN       string `arg:"network_destination_asn" deprecated:"refused" help:"No longer supported: the number of the autonomous system connected to."`
	DestinationCIDRBlock string `arg:"network_destination_cidr_block" deprecated:"refused" help:"No longer supported: the range of addresses connected to."`
	DestinationIPv4      string `arg:"network_destination_ipv4" help:"The IPv4 address connected to."`
	DestinationIPv6      string `arg:"network_destination_ipv6" help:"The IPv6 address connected to."`
	DestinationPort      string `arg:"network_destination_port" deprecated:"refused" help:"No longer supported: the port connected to."`
	IPv4                 string `arg:"network_ipv4" help:"An IPv4 address."`
	IPv6                 string `arg:"network_ipv6" help:"An IPv6 address."`
	Port                 string `arg:"network_port" deprecated:"refused" help:"No longer supported: a port."`
	Protocol             string `arg:"network_protocol" deprecated:"refused" help:"No longer supported: the number of a protocol."`
	SourceASN            string `arg:"network_source_asn" deprecated:"refused" help:"No longer supported: the number of the autonomous system that connects."`
	SourceCIDRBlock      string `arg:"network_source_cidr_block" deprecated:"refused" help:"No longer supported: the range of addresses that connects."`
	SourceIPv4           string `arg:"network_source_ipv4" deprecated:"refused" help:"No longer supported: the IPv4 address that connects."`
	SourceIPv6           string `arg:"network_source_ipv6" deprecated:"refused" help:"No longer supported: the IPv6 address that connects."`
	SourcePort           string `arg:"network_source_port" deprecated:"refused" help:"No longer supported: the port that connects."`
	URL                  string `arg:"url" help:"A URL."`
	UserAgent            string `arg:"user_agent" deprecated:"refused" help:"No longer supported: the user agent of a request."`
}

// value returns the one domain, address or URL that was given. The service matches addresses that machines connect to.
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
		return oldValue{}, wrong(run, "exactly one domain, IP address or URL must be given; got %d: an indicator is for one value", len(given))
	}
	return given[0], nil
}

func createOldNetworkIndicator() Command {
	own := without(oldIndicatorOutput("Indicator created", warroom.Number), "fileHashType", "fileHashValue")
	paths := oldPaths(own, ipIndicator, domainIndicator, urlIndicator)
	file := Output{Path: "File", View: warroom.NewView(gone("Name", warroom.String))}
	return createsOld[oldNetworkArguments](paths, Command{
		Name:    "microsoft-atp-indicator-create-network",
		Help:    "Creates an indicator for a domain, an IP address or a URL, one of which must be given.",
		Outputs: append(paths.outputs(), file),
		Example: `action=block description="ticket 4711" expiration_time="30 days" threat_type=Botnet network_ipv4=198.51.100.3`,
	})
}

func updateOldIndicator() Command {
	type args struct {
		ID          string        `arg:"indicator_id" required:"true" help:"The ID of an indicator."`
		Severity    string        `arg:"severity" default:"MediumHigh" values:"Informational,Low,MediumLow,MediumHigh,High,Medium" help:"The severity. The service has a single Medium, which MediumLow and MediumHigh become."`
		Expiration  time.Duration `arg:"expiration_time" required:"true" help:"The time span after which the indicator expires, such as 7 days."`
		Description string        `arg:"description" help:"What the indicator is about."`
	}
	paths := oldPaths(oldIndicatorOutput("Indicator updated", warroom.String), allKinds()...)
	return declare(Command{
		Name: "microsoft-atp-indicator-update", Area: Indicators, Deprecated: "microsoft-atp-sc-indicator-update",
		Help:    "Updates the expiration, the severity and the description of an indicator.",
		Uses:    []defender.Operation{defender.GetIndicator, defender.SubmitIndicator},
		Outputs: paths.outputs(),
		Example: `indicator_id=996 expiration_time="30 days" severity=High`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		current, err := run.API.Indicator(ctx, in.ID)
		if err != nil {
			return Report{}, err
		}
		today, notes := todaysActions([]rawjson.Value{current})
		wanted, err := defender.IndicatorOf(today[0])
		if err != nil {
			return Report{}, err
		}
		wanted.Severity, wanted.ExpirationTime = todaysSeverity(in.Severity), expiry(run, &in.Expiration)
		wanted.Description = cmp.Or(in.Description, wanted.Description)
		if wanted.Action == audit {
			wanted.GenerateAlert = new(true)
		}
		return paths.submit(ctx, run, wanted, notes)
	})
}

func deleteOldIndicator() Command {
	return indicatorDeletion(Command{Name: "microsoft-atp-indicator-delete", Deprecated: "microsoft-atp-sc-indicator-delete"})
}
