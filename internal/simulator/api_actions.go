package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// actionKind is a kind of machine action as the API documents it, and how long it takes here.
type actionKind struct {
	// running is the time from the start on the machine to the end.
	running time.Duration
	// permission is the one that allows it, and allows it to be cancelled.
	permission string
	// scopeName is the parameter that chooses the scope, scopes what it can be. Without defaultScope it is required.
	scopeName    string
	scopes       []string
	defaultScope string
	// windowsOnly actions are refused on other systems.
	windowsOnly bool
	// status of the answer that creates it.
	status int
}

// actionDelay is how long an action waits until its machine takes it up.
const actionDelay = time.Second

// A machine that does not report leaves its actions waiting. Microsoft documents two hours for live response
// (https://learn.microsoft.com/defender-endpoint/api/run-live-response); for the other kinds three days are assumed.
const (
	sessionPatience = 2 * time.Hour
	actionPatience  = 3 * day
)

// actionKinds are the kinds by their names.
func actionKinds() map[string]actionKind {
	return map[string]actionKind{
		"Isolate":                     {3 * time.Second, "Machine.Isolate", "IsolationType", []string{"Full", "Selective", "UnManagedDevice"}, "Full", false, http.StatusCreated},
		"Unisolate":                   {2 * time.Second, "Machine.Isolate", "", nil, "", false, http.StatusCreated},
		"RestrictCodeExecution":       {2 * time.Second, "Machine.RestrictExecution", "", nil, "", true, http.StatusCreated},
		"UnrestrictCodeExecution":     {2 * time.Second, "Machine.RestrictExecution", "", nil, "", true, http.StatusCreated},
		"RunAntiVirusScan":            {20 * time.Second, "Machine.Scan", "ScanType", []string{"Quick", "Full"}, "", false, http.StatusCreated},
		"CollectInvestigationPackage": {15 * time.Second, "Machine.CollectForensics", "", nil, "", true, http.StatusCreated},
		"StopAndQuarantineFile":       {3 * time.Second, "Machine.StopAndQuarantine", "", nil, "", true, http.StatusCreated},
		"Offboard":                    {3 * time.Second, "Machine.Offboard", "", nil, "", false, http.StatusOK},
		"LiveResponse":                {0, "Machine.LiveResponse", "", nil, "", false, http.StatusCreated},
	}
}

// plan is how a machine action will proceed.
type plan struct {
	begins time.Time // when the machine takes it up; zero if it never will
	ends   time.Time
	result string // the last status, unless something comes in between
}

// final reports whether the action has ended.
func (a *machineAction) final() bool { return a.Status != "Pending" && a.Status != "InProgress" }

// newAction plans an action and records it.
func (c *company) newAction(kind string, m *machine, requestor, comment string, created time.Time) *machineAction {
	begins := created.Add(actionDelay)
	a := &machineAction{
		ID: c.draws.guid(), Type: kind, Requestor: requestor, RequestorComment: comment, Status: "Pending",
		MachineID: m.ID, ComputerDNSName: m.ComputerDNSName,
		CreationDateTimeUTC: at(created), LastUpdateDateTimeUTC: at(created),
		RequestSource: "PublicApi", Commands: []*liveResponseCommand{},
		plan: plan{begins, begins.Add(actionKinds()[kind].running), "Succeeded"},
	}
	if m.HealthStatus != "Active" {
		patience := actionPatience
		if kind == "LiveResponse" {
			patience = sessionPatience
		}
		a.plan = plan{time.Time{}, created.Add(patience), "TimeOut"}
	}
	c.actions = append(c.actions, a)
	return a
}

// advance moves everything on to the present: machine actions and investigations that have not ended.
func (c *company) advance(now time.Time) {
	c.unfold(now)
	if c.haltedAt.IsZero() {
		for _, a := range c.actions {
			c.advanceAction(a, now)
		}
	}
	for _, i := range c.investigations {
		if i.State == "Running" && !i.ends.IsZero() && !now.Before(i.ends) {
			i.State, i.EndTime = "SuccessfullyRemediated", at(i.ends)
		}
	}
}

func (c *company) advanceAction(a *machineAction, now time.Time) {
	if a.final() {
		return
	}
	if slices.Contains(c.failing, a.Type) && !a.plan.begins.IsZero() {
		a.plan.result = "Failed"
		if len(a.Commands) > 0 {
			a.Commands[0].failure = "The machine could not run the command"
			a.plan.ends = a.plan.begins.Add(commandTime)
		}
	}
	if begins := a.plan.begins; !begins.IsZero() && !now.Before(begins) {
		a.advanceCommands(now)
		if a.Status == "Pending" {
			a.Status, a.LastUpdateDateTimeUTC = "InProgress", at(begins)
		}
	}
	if now.Before(a.plan.ends) {
		return
	}
	a.Status, a.LastUpdateDateTimeUTC = a.plan.result, at(a.plan.ends)
	if a.Status == "Failed" {
		a.ErrorHResult = -2147467259 // E_FAIL
	}
	if m, failure := c.machineNamed(a.MachineID); failure == nil && a.Type == "Offboard" && a.Status == "Succeeded" {
		m.HealthStatus, m.OnboardingStatus = "Inactive", "CanBeOnboarded"
	}
}

// startAction answers the operations that start an action of the kind on a machine.
func (c *company) startAction(kind string, call *call, m *machine, body fields) (reply, *apiError) {
	comment, failure := body.text("Comment")
	if failure != nil {
		return reply{}, failure
	}
	k := actionKinds()[kind]
	scope := ""
	if k.scopeName != "" {
		if scope, failure = body.choice(k.scopeName, k.defaultScope, k.scopes...); failure != nil {
			return reply{}, failure
		}
	}
	var related *relatedFile
	if kind == "StopAndQuarantineFile" {
		if related, failure = fileToQuarantine(body); failure != nil {
			return reply{}, failure
		}
	}
	if failure := c.acceptable(kind, m, scope, related); failure != nil {
		return reply{}, failure
	}
	a := c.newAction(kind, m, call.app.requestor(), comment, call.now)
	a.Scope, a.RelatedFileInfo = optional(scope), related
	if related != nil && c.isMicrosofts(related.FileIdentifier) {
		a.plan.result = "Failed"
	}
	return reply{k.status, c.single("MachineActions", a)}, nil
}

// fileToQuarantine reads the hash of the file, which must be a SHA-1.
func fileToQuarantine(body fields) (*relatedFile, *apiError) {
	hash, failure := body.text("Sha1")
	if failure != nil {
		return nil, failure
	}
	if failure := checkSHA1(hash); failure != nil {
		return nil, failure
	}
	return &relatedFile{strings.ToLower(hash), "Sha1"}, nil
}

// isMicrosofts reports whether the file is signed by Microsoft: the service does not quarantine such files.
func (c *company) isMicrosofts(sha1 string) bool {
	return slices.ContainsFunc(c.files, func(f *file) bool { return f.SHA1 == sha1 && f.Signer == optional(microsoft.name) })
}

// acceptable reports whether the machine can be asked for the action now.
func (c *company) acceptable(kind string, m *machine, scope string, related *relatedFile) *apiError {
	if m.OnboardingStatus != "Onboarded" {
		return badRequest("Machine %s is not onboarded.", m.ID)
	}
	if (actionKinds()[kind].windowsOnly || scope == "Selective") && !m.isWindows() {
		return &apiError{http.StatusBadRequest, "OsPlatformNotSupported", fmt.Sprintf("%s is not supported on %s.", kind, m.OSPlatform)}
	}
	for _, a := range c.actions {
		if a.final() || a.Type != kind || a.MachineID != m.ID || related != nil && *a.RelatedFileInfo != *related {
			continue
		}
		failure := badRequest("Action is already in progress: %s %s on machine %s since %s.",
			kind, a.ID, m.ID, a.CreationDateTimeUTC.Format(time.RFC3339))
		if kind == "LiveResponse" {
			failure.Code = "ActiveRequestAlreadyExists"
		}
		return failure
	}
	return nil
}

var machineActions = collection{
	name:       "MachineActions",
	filterable: []string{"id", "status", "machineId", "type", "requestor", "creationDateTimeUtc"},
}

// listActions returns the newest actions first.
func (c *company) listActions(call *call) (reply, *apiError) {
	newest := slices.Clone(c.actions)
	slices.Reverse(newest)
	return list(c, call, newest, machineActions)
}

func (c *company) actionWith(id string) (*machineAction, *apiError) {
	i := slices.IndexFunc(c.actions, func(a *machineAction) bool { return strings.EqualFold(a.ID, id) })
	if i < 0 {
		return nil, notFound("Machine action", id)
	}
	return c.actions[i], nil
}

func (c *company) getAction(_ *call, a *machineAction) (reply, *apiError) {
	return reply{http.StatusOK, c.single("MachineActions", a)}, nil
}

// cancelAction ends an action that has not ended. It takes the permission of the action's own kind.
func (c *company) cancelAction(call *call, a *machineAction) (reply, *apiError) {
	if needed := actionKinds()[a.Type].permission; !call.app.holds(needed) {
		return reply{}, &apiError{http.StatusForbidden, "Forbidden", "Cancelling this action needs the permission " + needed + "."}
	}
	body, failure := call.fields()
	if failure != nil {
		return reply{}, failure
	}
	var comment string
	if failure := body.read("Comment", &comment); failure != nil {
		return reply{}, failure
	}
	if a.final() {
		return reply{}, badRequest("Machine action %s cannot be cancelled, its status is %s.", a.ID, a.Status)
	}
	a.Status, a.LastUpdateDateTimeUTC = "Cancelled", at(call.now)
	a.CancellationRequestor, a.CancellationComment = optional(call.app.requestor()), optional(comment)
	a.CancellationDateTimeUTC = at(call.now)
	for _, command := range a.Commands {
		if command.CommandStatus == "Created" {
			command.CommandStatus = "Cancelled"
		}
	}
	return reply{http.StatusOK, c.single("MachineActions", a)}, nil
}

// getPackageURI leads to an investigation package, once the action has ended. Its value is wrapped in another pair of
// quotes, as Microsoft's sample has it.
func (c *company) getPackageURI(call *call, a *machineAction) (reply, *apiError) {
	if a.Type != "CollectInvestigationPackage" {
		return reply{}, badRequest("Machine action %s collects no investigation package.", a.ID)
	}
	if a.Status != "Succeeded" {
		return reply{}, &apiError{http.StatusNotFound, "ResourceNotFound", "The investigation package of machine action " + a.ID + " is not available, its status is " + a.Status + "."}
	}
	link := c.link("investigation-packages/"+a.ID, c.investigationPackage(a), call.now)
	return reply{http.StatusOK, c.linkAnswer(`"` + link + `"`)}, nil
}
