package commands

import (
	"context"
	"slices"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func entityCommands() []func() Command {
	return []func() Command{
		judgeFiles,
		getFileInfo,
		getFileStatistics,
		getFileAlerts,
		getFileMachines,
		getDomainStatistics,
		getDomainAlerts,
		getDomainMachines,
		getIPStatistics,
		getIPAlerts,
		getUserAlerts,
		getUserMachines,
	}
}

// entity is an argument struct that names one file, domain, address or user.
type entity interface {
	// name returns the name to request, or the problem with the argument.
	name(run *Run) (string, error)
}

// sha1Args names a file for the operations that accept only SHA-1.
type sha1Args struct {
	Hash string `arg:"file_hash" required:"true" help:"The SHA-1 hash of the file."`
}

func (a sha1Args) name(run *Run) (string, error) {
	return a.Hash, checkHash(run, "file_hash", a.Hash, sha1Hash)
}

// fileArgs names a file for the operations that accept SHA-1 or SHA-256.
type fileArgs struct {
	Hash string `arg:"file_hash" required:"true" help:"The SHA-1 or SHA-256 hash of the file."`
}

func (a fileArgs) name(run *Run) (string, error) {
	return a.Hash, checkHash(run, "file_hash", a.Hash, sha1Hash, sha256Hash)
}

// checkHash returns the error for a hash of a kind that the service does not accept.
func checkHash(run *Run, argument, hash string, accepted ...hashKind) error {
	kind := hashKindOf(hash)
	if slices.Contains(accepted, kind) {
		return nil
	}
	names := map[hashKind]string{md5Hash: "an MD5 hash", sha1Hash: "a SHA-1 hash", sha256Hash: "a SHA-256 hash", "": "not a hash"}
	wanted := make([]string, len(accepted))
	for i, kind := range accepted {
		wanted[i] = names[kind]
	}
	return wrong(run, "%s must be %s, but %q is %s", argument, strings.Join(wanted, " or "), hash, names[kind])
}

// checked asks for a file by its hash, unless that is of a kind that the service does not accept. So one odd value does
// not affect the others of a list.
func checked[T any](run *Run, argument string, ask func(ctx context.Context, hash string) (T, error), accepted ...hashKind) func(context.Context, string) (T, error) {
	return func(ctx context.Context, hash string) (value T, err error) {
		if err := checkHash(run, argument, hash, accepted...); err != nil {
			return value, err
		}
		return ask(ctx, hash)
	}
}

type domainArgs struct {
	Domain string `arg:"domain" required:"true" help:"The domain's name."`
}

func (a domainArgs) name(run *Run) (string, error) {
	return a.Domain, checkValue(run, "domain", domainProblem(a.Domain))
}

type ipArgs struct {
	IP string `arg:"ip" required:"true" help:"The IP address."`
}

func (a ipArgs) name(run *Run) (string, error) {
	return a.IP, checkValue(run, "ip", addressProblem(a.IP))
}

// checkValue returns the error for an argument whose value has a problem, or nil if problem is empty.
func checkValue(run *Run, argument, problem string) error {
	if problem == "" {
		return nil
	}
	return wrong(run, "%s %s", argument, problem)
}

type userArgs struct {
	User string `arg:"username" required:"true" help:"The user's account name. Of DOMAIN\\name and name@domain only the name is used."`
}

// name returns the account name alone: the service finds users by it and not by the user principal name.
func (a userArgs) name(run *Run) (string, error) {
	name := a.User[strings.LastIndexByte(a.User, '\\')+1:]
	name, _, _ = strings.Cut(name, "@")
	if name == "" {
		return "", wrong(run, "username must contain an account name; got %q", a.User)
	}
	return name, nil
}

// listFor declares a command that lists what belongs to one entity, such as the alerts of a domain. The aliases are
// further context paths for the same objects.
func listFor[A entity](command Command, out Output, list func(api *defender.Client, ctx context.Context, name string) (defender.List, error), aliases ...Output) Command {
	command.Outputs = append([]Output{out}, aliases...)
	return declare(command, func(ctx context.Context, run *Run, in A) (Report, error) {
		name, err := in.name(run)
		if err != nil {
			return Report{}, err
		}
		found, err := list(run.API, ctx, name)
		if err != nil {
			return Report{}, err
		}
		entry := out.aboutEntry(name, found)
		for _, alias := range aliases {
			if len(found.Items) > 0 {
				entry.Context = append(entry.Context, alias.context(found.Items))
			}
		}
		return report(entry), nil
	})
}

// statisticsFor declares a command that shows how often one entity was seen.
func statisticsFor[A entity](
	command Command, out Output, read func(api *defender.Client, ctx context.Context, name string) (rawjson.Value, error),
	standard func(run *Run, name string, statistics rawjson.Value) []warroom.Context,
) Command {
	command.Outputs = append([]Output{out}, command.Outputs...)
	return declare(command, func(ctx context.Context, run *Run, in A) (Report, error) {
		name, err := in.name(run)
		if err != nil {
			return Report{}, err
		}
		statistics, err := read(run.API, ctx, name)
		if defender.NotFound(err) {
			return Report{}, &UnseenError{Names: []string{name}, Err: err}
		}
		if err != nil {
			return Report{}, err
		}
		entry := out.aboutObjectEntry(name, statistics)
		if standard != nil {
			entry.Context = append(entry.Context, standard(run, name, statistics)...)
		}
		return report(entry), nil
	})
}

// UnseenError reports that the service has not seen any of the requested entities.
type UnseenError struct {
	Names []string
	Err   error
}

func (e *UnseenError) Error() string { return unseen(e.Names) }

func (e *UnseenError) Unwrap() error { return e.Err }

func unseen(names []string) string {
	return "Not found: the service has not seen " + strings.Join(names, ", ") + "."
}

// aboutObjectEntry returns the entry for a single object that belongs to the entity named by id.
func (o Output) aboutObjectEntry(id string, object rawjson.Value) warroom.Entry {
	entry := o.objectEntry(object)
	entry.Context = []warroom.Context{{Path: o.path(), Value: o.group(id, []rawjson.Value{object})}}
	return entry
}

// aboutOutput returns the output for what belongs to one entity, which the context names under the key about.
func aboutOutput(path, about, under string, view *warroom.View) Output {
	return Output{Path: "MicrosoftATP." + path, Key: "val." + about + " === obj." + about, About: about, Under: under, View: view}
}

// alertsOutput shows the alerts of one entity.
func alertsOutput(path, about, title string) Output {
	out := aboutOutput(path, about, "Alerts", alertView())
	out.Title, out.Columns, out.Empty = title, alertColumns(), "No alert was found."
	return out
}

// machinesOutput shows the machines of one entity.
func machinesOutput(path, about, title string, view *warroom.View) Output {
	out := aboutOutput(path, about, "Machines", view)
	out.Title, out.Columns, out.Empty = title, machineColumns(), "No machine was found."
	return out
}

// statisticsOutput shows how often one entity was seen.
func statisticsOutput(path, about, title string, fields ...warroom.Field) Output {
	out := aboutOutput(path, about, "Statistics", warroom.NewView(append(fields,
		textField("OrgPrevalence", "The number of machines in the organization on which it was seen.", "orgPrevalence", "organizationPrevalence"),
		warroom.Field{Name: "OrgFirstSeen", From: "orgFirstSeen", Type: warroom.Date, Help: "When it was first seen in the organization."},
		warroom.Field{Name: "OrgLastSeen", From: "orgLastSeen", Type: warroom.Date, Help: "When it was last seen in the organization."},
	)...))
	out.Single, out.Title, out.Columns = true, title, sortedColumns(out.View)
	return out
}

// textField returns a field whose value is text, whether the service returns text or, as in today's API, a number.
func textField(name, help string, from ...string) warroom.Field {
	return warroom.Field{Name: name, Type: warroom.String, Help: help, Make: func(object rawjson.Value) warroom.Value {
		if text := object.Text(from...); text != "" {
			return warroom.Text(text)
		}
		return nil
	}}
}

// sortedColumns returns the columns of a view, sorted by name.
func sortedColumns(view *warroom.View) []string {
	columns := view.Names()
	slices.Sort(columns)
	return columns
}

// The entities of examples.
const (
	exampleFile   = "87662bc3d60e4200ceaf7aae249d1c343f4b83c9"
	exampleDomain = "bad.example"
	exampleIP     = "198.51.100.7"
	exampleUser   = "nora"
)

// fileView maps a file of the service.
func fileView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "Sha1", From: "sha1", Type: warroom.String, Help: "The file's SHA-1 hash."},
		warroom.Field{Name: "Size", From: "size", Type: warroom.Number, Help: "The file's size in bytes."},
		warroom.Field{Name: "Sha256", From: "sha256", Type: warroom.String, Help: "The file's SHA-256 hash."},
		warroom.Field{Name: "Md5", From: "md5", Type: warroom.String, Help: "The file's MD5 hash."},
		warroom.Field{Name: "GlobalPrevalence", From: "globalPrevalence", Type: warroom.Number, Help: "The number of machines worldwide on which the file was seen."},
		warroom.Field{Name: "GlobalFirstObserved", From: "globalFirstObserved", Type: warroom.Date, Help: "When the file was first seen anywhere."},
		warroom.Field{Name: "GlobalLastObserved", From: "globalLastObserved", Type: warroom.Date, Help: "When the file was last seen anywhere."},
		warroom.Field{Name: "SizeInBytes", From: "size", Type: warroom.Number, Help: "The file's size in bytes."},
		warroom.Field{Name: "FileType", From: "fileType", Type: warroom.String, Help: "The kind of file."},
		warroom.Field{Name: "IsPeFile", From: "isPeFile", Type: warroom.Boolean, Help: "Whether the file is a Windows program or library."},
		warroom.Field{Name: "FilePublisher", From: "filePublisher", Type: warroom.String, Help: "Who published the file."},
		warroom.Field{Name: "FileProductName", From: "fileProductName", Type: warroom.String, Help: "The product that the file belongs to."},
		warroom.Field{Name: "Signer", From: "signer", Type: warroom.String, Help: "Who signed the file."},
		warroom.Field{Name: "Issuer", From: "issuer", Type: warroom.String, Help: "Who issued the signer's certificate."},
		warroom.Field{Name: "SignerHash", From: "signerHash", Type: warroom.String, Help: "The hash of the signer's certificate."},
		warroom.Field{Name: "IsValidCertificate", From: "isValidCertificate", Type: warroom.Boolean, Help: "Whether that certificate is valid."},
		warroom.Field{Name: "DeterminationType", From: "determinationType", Type: warroom.String, Help: "The service's verdict on the file."},
		warroom.Field{Name: "DeterminationValue", From: "determinationValue", Type: warroom.String, Help: "The threat that the file contains, if any."},
	)
}

// seenFileOutput returns the standard path of files, with the key part and the spellings that playbooks expect from
// this command.
func seenFileOutput() Output {
	return Output{
		Path: "File",
		Key: "val.SHA1 && val.SHA1 == obj.SHA1 || val.SHA256 && val.SHA256 == obj.SHA256 || " +
			"val.Type && val.Type == obj.Type || val.Size && val.Size == obj.Size ",
		View: warroom.NewView(
			warroom.Field{Name: "Sha1", From: "sha1", Type: warroom.String, Help: "The file's SHA-1 hash; the standard key is SHA1."},
			warroom.Field{Name: "Sha256", From: "sha256", Type: warroom.String, Help: "The file's SHA-256 hash; the standard key is SHA256."},
			warroom.Field{Name: "SHA1", From: "sha1", Type: warroom.String, Help: "The file's SHA-1 hash."},
			warroom.Field{Name: "SHA256", From: "sha256", Type: warroom.String, Help: "The file's SHA-256 hash."},
			warroom.Field{Name: "MD5", From: "md5", Type: warroom.String, Help: "The file's MD5 hash."},
			warroom.Field{Name: "Type", From: "fileType", Type: warroom.String, Help: "The kind of file."},
			warroom.Field{Name: "Size", From: "size", Type: warroom.Number, Help: "The file's size in bytes."},
		),
	}
}

func getFileInfo() Command {
	type args struct {
		Hashes []string `arg:"hash" required:"true" help:"The SHA-1 or SHA-256 hashes of the files."`
	}
	out := Output{
		Path: "MicrosoftATP.File", Key: "val.Sha1 === obj.Sha1",
		// The manifest has always declared MD5, while the key that was filled is Md5.
		View:  fileView().With(warroom.Field{Name: "MD5", From: "md5", Type: warroom.String, Help: "The file's MD5 hash."}),
		Title: "Files", Columns: []string{"DeterminationType", "DeterminationValue", "GlobalPrevalence", "FileType", "Size", "Signer", "IsValidCertificate", "Sha256", "Sha1"}, Pages: map[string]string{"Sha1": "/file/{}"},
		Empty: "No file was found.",
	}
	standard := seenFileOutput()
	return declare(Command{
		Name: "microsoft-atp-get-file-info", Unnamed: "hash", Area: Files,
		Help:    "Shows what the service knows about files.",
		Uses:    []defender.Operation{defender.GetFile},
		Outputs: []Output{out, standard},
		Example: `hash=` + exampleFile,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		files := forEach(ctx, in.Hashes, checked(run, "hash", run.API.File, sha1Hash, sha256Hash))
		missing := files.unknown()
		found := values(files.Done)
		rows := eachOnce(found, "sha1") // one may be asked for by both of its hashes
		entry := out.rowsEntry(rows, rawjson.Join(rows))
		if found != nil {
			entry.Context = append(entry.Context, standard.context(found))
		}
		return files.finishKnown("hash", missing, entry)
	})
}

// unknown takes those that the service does not know out of the failures.
func (o *outcome[T]) unknown() []string {
	var names []string
	var failed []failure
	for _, one := range o.Failed {
		if defender.NotFound(one.Err) {
			names = append(names, one.ID)
			continue
		}
		failed = append(failed, one)
	}
	o.Failed = failed
	return names
}

// finishKnown is finish for ids of which some are unknown to the service. That is not an error, even if all of them are:
// playbooks look into the context.
func (o outcome[T]) finishKnown(argument string, missing []string, entry warroom.Entry) (Report, error) {
	if missing != nil {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph(unseen(missing)))
		// That the service does not know them is a result.
		o.Done = append(o.Done, make([]done[T], len(missing))...)
	}
	return o.finish(argument, entry)
}

func getFileStatistics() Command {
	return statisticsFor[fileArgs](
		Command{
			Name: "microsoft-atp-get-file-statistics", Area: Files, Help: "Shows how often a file was seen, in the organization and anywhere.",
			Uses: []defender.Operation{defender.GetFileStatistics}, Example: `file_hash=` + exampleFile,
			Outputs: []Output{prevalenceOutput(), scoreOutput()},
		},
		statisticsOutput("FileStatistics", "Sha1", "Statistics of the file",
			textField("GlobalPrevalence", "The number of machines worldwide on which the file was seen.", "globalPrevalence", "globallyPrevalence"),
			warroom.Field{Name: "GlobalFirstObserved", From: "globalFirstObserved", Type: warroom.Date, Help: "When the file was first seen anywhere."},
			warroom.Field{Name: "GlobalLastObserved", From: "globalLastObserved", Type: warroom.Date, Help: "When the file was last seen anywhere."},
			warroom.Field{Name: "OrganizationPrevalence", From: "organizationPrevalence", Type: warroom.Number, Help: "The number of machines in the organization on which it was seen, as a number."},
			warroom.Field{Name: "GloballyPrevalence", From: "globallyPrevalence", Type: warroom.Number, Help: "The number of machines worldwide on which the file was seen, as a number."},
			warroom.Field{Name: "TopFileNames", From: "topFileNames", Type: warroom.String, Help: "The names under which the file was seen most."},
		),
		(*defender.Client).FileStatistics,
		func(run *Run, hash string, statistics rawjson.Value) []warroom.Context {
			return []warroom.Context{prevalenceOutput().context([]rawjson.Value{statistics}), fileScore(run, hash, verdictUnknown)}
		},
	)
}

func getFileAlerts() Command {
	return listFor[sha1Args](
		Command{
			Name: "microsoft-atp-get-file-alerts", Area: Files, Help: "Lists the alerts of a file.",
			Uses: []defender.Operation{defender.ListFileAlerts}, Example: `file_hash=` + exampleFile,
		},
		alertsOutput("FileAlert", "Sha1", "Alerts of the file"),
		(*defender.Client).FileAlerts,
	)
}

func getFileMachines() Command {
	type args struct {
		Hashes []string `arg:"file_hash" required:"true" help:"The SHA-1 hashes of the files."`
	}
	// The manifest has always declared HelathStatus, misspelled, and the processor at a path of its own.
	out := machinesOutput("FileMachine", "File", "", machineView().With(
		warroom.Field{Name: "HelathStatus", From: "healthStatus", Type: warroom.String, Help: "The same as HealthStatus."},
	))
	out.Key = ""
	promised := Output{Path: "MicrosoftATP.Machine", Fields: []warroom.Field{
		{Name: "OSProcessor", Type: warroom.String, Help: "Not filled: see MicrosoftATP.FileMachine.Machines.OSProcessor.", Gone: true},
	}}
	return declare(Command{
		Name: "microsoft-atp-get-file-related-machines", Area: Files,
		Help:    "Lists the machines on which files were seen.",
		Uses:    []defender.Operation{defender.ListFileMachines},
		Outputs: []Output{out, promised},
		Example: `file_hash=` + exampleFile,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		machines := forEach(ctx, in.Hashes, checked(run, "file_hash", run.API.FileMachines, sha1Hash))
		var entry warroom.Entry
		var files warroom.Values
		var answers []rawjson.Value
		for _, one := range machines.Done {
			entry.Blocks = append(entry.Blocks, out.titled("Machines with the file %s", one.ID).listEntry(one.Value).Blocks...)
			files = append(files, out.group(one.ID, one.Value.Items))
			answers = append(answers, one.Value.Joined())
		}
		if files != nil {
			entry.Context = []warroom.Context{{Path: out.path(), Value: files}}
			entry.Contents = warroom.Raw(rawjson.Join(answers))
		}
		return machines.finish("file_hash", entry)
	})
}

func getDomainStatistics() Command {
	return statisticsFor[domainArgs](
		Command{
			Name: "microsoft-atp-get-domain-statistics", Area: Network, Help: "Shows how many machines contacted a domain.",
			Uses: []defender.Operation{defender.GetDomainStatistics}, Example: `domain=` + exampleDomain,
		},
		statisticsOutput("DomainStatistics", "Domain", "Statistics of the domain",
			warroom.Field{Name: "Host", From: "host", Type: warroom.String, Help: "The domain."},
		),
		(*defender.Client).DomainStatistics, nil,
	)
}

func getDomainAlerts() Command {
	return listFor[domainArgs](
		Command{
			Name: "microsoft-atp-get-domain-alerts", Area: Network, Help: "Lists the alerts of a domain.",
			Uses: []defender.Operation{defender.ListDomainAlerts}, Example: `domain=` + exampleDomain,
		},
		alertsOutput("DomainAlert", "Domain", "Alerts of the domain"),
		(*defender.Client).DomainAlerts,
	)
}

func getDomainMachines() Command {
	return listFor[domainArgs](
		Command{
			Name: "microsoft-atp-get-domain-machines", Area: Network, Help: "Lists the machines that contacted a domain, at most 500.",
			Uses: []defender.Operation{defender.ListDomainMachines}, Example: `domain=` + exampleDomain,
		},
		machinesOutput("DomainMachine", "Domain", "Machines that contacted the domain", machineView()),
		(*defender.Client).DomainMachines,
	)
}

func getIPStatistics() Command {
	return statisticsFor[ipArgs](
		Command{
			Name: "microsoft-atp-get-ip-statistics", Area: Network, Help: "Shows how many machines contacted an IP address.",
			Uses: []defender.Operation{defender.GetIPStatistics}, Example: `ip=` + exampleIP,
		},
		statisticsOutput("IPStatistics", "IPAddress", "Statistics of the IP address",
			warroom.Field{Name: "IPAddress", From: "ipAddress", Type: warroom.String, Help: "The IP address."},
		),
		(*defender.Client).IPStatistics, nil,
	)
}

func getIPAlerts() Command {
	return listFor[ipArgs](
		Command{
			Name: "microsoft-atp-get-ip-alerts", Area: Network, Help: "Lists the alerts of an IP address.",
			Uses: []defender.Operation{defender.ListIPAlerts}, Example: `ip=` + exampleIP,
		},
		alertsOutput("IPAlert", "IPAddress", "Alerts of the IP address"),
		(*defender.Client).IPAlerts,
	)
}

func getUserAlerts() Command {
	return listFor[userArgs](
		Command{
			Name: "microsoft-atp-get-user-alerts", Area: Users, Help: "Lists the alerts of a user.",
			Uses: []defender.Operation{defender.ListUserAlerts}, Example: `username=` + exampleUser,
		},
		alertsOutput("UserAlert", "Username", "Alerts of the user"),
		(*defender.Client).UserAlerts,
	)
}

func getUserMachines() Command {
	return listFor[userArgs](
		Command{
			Name: "microsoft-atp-get-user-machines", Area: Users, Help: "Lists the machines that a user logged on to.",
			Uses: []defender.Operation{defender.ListUserMachines}, Example: `username=` + exampleUser,
		},
		machinesOutput("UserMachine", "Username", "Machines of the user", machineView()),
		(*defender.Client).UserMachines,
		// The manifest has always declared the address at this path by mistake.
		Output{Path: "MicrosoftATP.v.Machines", View: machineView().Only("LastIPAddress")},
	)
}
