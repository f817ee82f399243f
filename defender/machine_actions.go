package defender

import (
	"context"
	"net/http"
	"strings"
	"time"

	"xsoar-defender/internal/rawjson"
)

// The operations that start, follow and cancel machine actions.
var (
	ListMachineActions  = Operation{Purpose: "list machine actions", Method: http.MethodGet, Path: "/api/machineactions", Docs: "/defender-endpoint/api/get-machineactions-collection", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate, LargestPage: 10_000}
	GetMachineAction    = Operation{Purpose: "read the machine action", Method: http.MethodGet, Path: "/api/machineactions/{}", Docs: "/defender-endpoint/api/get-machineaction-object", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	CancelMachineAction = Operation{Purpose: "cancel the machine action", Method: http.MethodPost, Path: "/api/machineactions/{}/cancel", Docs: "/defender-endpoint/api/cancel-machine-action", Application: mayActAnyhow, Delegated: mayActAnyhow, Rate: usualRate}
	Isolate             = Operation{Purpose: "isolate the machine", Method: http.MethodPost, Path: "/api/machines/{}/isolate", Docs: "/defender-endpoint/api/isolate-machine", Application: mayIsolate, Delegated: mayIsolate, Rate: usualRate, Starts: "Isolate"}
	Unisolate           = Operation{Purpose: "release the machine from isolation", Method: http.MethodPost, Path: "/api/machines/{}/unisolate", Docs: "/defender-endpoint/api/unisolate-machine", Application: mayIsolate, Delegated: mayIsolate, Rate: usualRate, Starts: "Unisolate"}
	RunAntivirusScan    = Operation{Purpose: "scan the machine", Method: http.MethodPost, Path: "/api/machines/{}/runAntiVirusScan", Docs: "/defender-endpoint/api/run-av-scan", Application: mayScan, Delegated: mayScan, Rate: usualRate, Starts: "RunAntiVirusScan"}
	RestrictExecution   = Operation{Purpose: "restrict code execution on the machine", Method: http.MethodPost, Path: "/api/machines/{}/restrictCodeExecution", Docs: "/defender-endpoint/api/restrict-code-execution", Application: mayRestrict, Delegated: mayRestrict, Rate: usualRate, Starts: "RestrictCodeExecution"}
	UnrestrictExecution = Operation{Purpose: "lift the restriction of code execution on the machine", Method: http.MethodPost, Path: "/api/machines/{}/unrestrictCodeExecution", Docs: "/defender-endpoint/api/unrestrict-code-execution", Application: mayRestrict, Delegated: mayRestrict, Rate: usualRate, Starts: "UnrestrictCodeExecution"}
	StopAndQuarantine   = Operation{Purpose: "stop and quarantine the file on the machine", Method: http.MethodPost, Path: "/api/machines/{}/StopAndQuarantineFile", Docs: "/defender-endpoint/api/stop-and-quarantine-file", Application: mayQuarantine, Delegated: mayQuarantine, Rate: usualRate, Starts: "StopAndQuarantineFile"}
	CollectPackage      = Operation{Purpose: "collect an investigation package from the machine", Method: http.MethodPost, Path: "/api/machines/{}/collectInvestigationPackage", Docs: "/defender-endpoint/api/collect-investigation-package", Application: mayCollectForensics, Delegated: mayCollectForensics, Rate: usualRate, Starts: "CollectInvestigationPackage"}
	GetPackageURI       = Operation{Purpose: "read the link of the investigation package", Method: http.MethodGet, Path: "/api/machineactions/{}/getPackageUri", Docs: "/defender-endpoint/api/get-package-sas-uri", Application: mayReadMachines, Delegated: mayCollectForensics, Rate: Rate{PerMinute: 2, PerHour: 120}}
	Offboard            = Operation{Purpose: "offboard the machine", Method: http.MethodPost, Path: "/api/machines/{}/offboard", Docs: "/defender-endpoint/api/offboard-machine-api", Application: mayOffboard, Delegated: mayOffboard, Rate: usualRate, Starts: "Offboard"}
	StartInvestigation  = Operation{Purpose: "start an automated investigation on the machine", Method: http.MethodPost, Path: "/api/machines/{}/startInvestigation", Docs: "/defender-endpoint/api/initiate-autoir-investigation", Application: mayWriteAlerts, Delegated: userWritesAlerts, Rate: Rate{PerHour: 50}}
	ListInvestigations  = Operation{Purpose: "list automated investigations", Method: http.MethodGet, Path: "/api/investigations", Docs: "/defender-endpoint/api/get-investigation-collection", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate, LargestPage: 10_000}
	GetInvestigation    = Operation{Purpose: "read the automated investigation", Method: http.MethodGet, Path: "/api/investigations/{}", Docs: "/defender-endpoint/api/get-investigation-object", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	RunLiveResponse     = Operation{Purpose: "start live response on the machine", Method: http.MethodPost, Path: "/api/machines/{}/runliveresponse", Docs: "/defender-endpoint/api/run-live-response", Application: mayRespondLive, Delegated: mayRespondLive, Rate: Rate{PerMinute: 10}, Starts: "LiveResponse"}
	GetLiveResponseLink = Operation{Purpose: "read the link of the live response result", Method: http.MethodGet, Path: "/api/machineactions/{}/GetLiveResponseResultDownloadLink(index={})", Docs: "/defender-endpoint/api/get-live-response-result", Application: mayReadMachines, Delegated: mayRespondLive, Rate: usualRate}
)

// ActiveRequestExists is the code with which the service refuses a second live response on a machine
// (https://learn.microsoft.com/defender-endpoint/api/run-live-response).
const ActiveRequestExists = "ActiveRequestAlreadyExists"

// MachineAction is an action on a machine, with what commands decide by.
type MachineAction struct{ rawjson.Value }

// ID names the action.
func (a MachineAction) ID() string { return a.Text("id") }

// Status is Pending, InProgress, Succeeded, Failed, TimeOut or Cancelled.
func (a MachineAction) Status() string { return a.Text("status") }

// Running reports whether the action has not ended. A status that is not known, or none, does not end it: anyone who waits for
// it has a limit.
func (a MachineAction) Running() bool {
	switch strings.ToLower(a.Status()) {
	case "succeeded", "failed", "timeout", "cancelled":
		return false
	}
	return true
}

// Succeeded reports whether the action ended well.
func (a MachineAction) Succeeded() bool { return strings.EqualFold(a.Status(), "Succeeded") }

// MachineActions lists machine actions.
func (c *Client) MachineActions(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListMachineActions, q)
}

// A machine action that was just started may not be readable at once.
const (
	actionTries = 3
	actionPause = time.Second
)

// MachineAction reads one machine action. It tries again twice, a second apart, while the service does not know the action.
func (c *Client) MachineAction(ctx context.Context, id string) (MachineAction, error) {
	for range actionTries - 1 {
		action, err := c.MachineActionOnce(ctx, id)
		if !NotFound(err) || c.options.Sleep(ctx, actionPause) != nil {
			return action, err
		}
	}
	return c.MachineActionOnce(ctx, id)
}

// MachineActionOnce is MachineAction without another try.
func (c *Client) MachineActionOnce(ctx context.Context, id string) (MachineAction, error) {
	return asAction(c.get(ctx, GetMachineAction, id))
}

// MachineActionsByID reads several machine actions at once and returns them by their ids in lower case. The ids must fit in
// one request (see SplitIDs). Actions that the list does not have are missing.
func (c *Client) MachineActionsByID(ctx context.Context, ids []string) (map[string]rawjson.Value, error) {
	return c.listed(ctx, ListMachineActions, ids, "")
}

// CancelMachineAction cancels an action that has not ended and returns it as it is then.
func (c *Client) CancelMachineAction(ctx context.Context, id, comment string) (MachineAction, error) {
	return asAction(c.change(ctx, CancelMachineAction, "id", reason{comment}, id))
}

// asAction types an answer that is a machine action.
func asAction(object rawjson.Value, err error) (MachineAction, error) {
	return MachineAction{object}, err
}

// reason is the body of every action: the comment is shown in Microsoft's action center.
type reason struct {
	Comment string `json:"Comment"`
}

// Isolate cuts a machine off the network; kind is Full, Selective, or UnManagedDevice for a machine that is not onboarded,
// which the onboarded ones then refuse to talk to.
func (c *Client) Isolate(ctx context.Context, machine, comment, kind string) (MachineAction, error) {
	return asAction(c.post(ctx, Isolate, map[string]string{"Comment": comment, "IsolationType": kind}, machine))
}

// Unisolate lets an isolated machine back on the network. The kind of isolation is sent only if it is given.
func (c *Client) Unisolate(ctx context.Context, machine, comment, kind string) (MachineAction, error) {
	body := map[string]string{"Comment": comment}
	if kind != "" {
		body["IsolationType"] = kind
	}
	return asAction(c.post(ctx, Unisolate, body, machine))
}

// RunAntivirusScan scans a machine; kind is Quick or Full.
func (c *Client) RunAntivirusScan(ctx context.Context, machine, comment, kind string) (MachineAction, error) {
	return asAction(c.post(ctx, RunAntivirusScan, map[string]string{"Comment": comment, "ScanType": kind}, machine))
}

// RestrictExecution lets only programs signed by Microsoft run on a machine.
func (c *Client) RestrictExecution(ctx context.Context, machine, comment string) (MachineAction, error) {
	return asAction(c.post(ctx, RestrictExecution, reason{comment}, machine))
}

// UnrestrictExecution lifts the restriction of code execution.
func (c *Client) UnrestrictExecution(ctx context.Context, machine, comment string) (MachineAction, error) {
	return asAction(c.post(ctx, UnrestrictExecution, reason{comment}, machine))
}

// StopAndQuarantine stops a file's processes on a machine and quarantines it. The service takes SHA-1 only.
func (c *Client) StopAndQuarantine(ctx context.Context, machine, sha1, comment string) (MachineAction, error) {
	return asAction(c.post(ctx, StopAndQuarantine, map[string]string{"Comment": comment, "Sha1": sha1}, machine))
}

// CollectPackage collects an investigation package.
func (c *Client) CollectPackage(ctx context.Context, machine, comment string) (MachineAction, error) {
	return asAction(c.post(ctx, CollectPackage, reason{comment}, machine))
}

// Offboard takes a machine out of the service.
func (c *Client) Offboard(ctx context.Context, machine, comment string) (MachineAction, error) {
	return asAction(c.post(ctx, Offboard, reason{comment}, machine))
}

// PackageURI returns the link to an investigation package and the answer as received. The link is valid for a
// short time and needs no token. The service answers 404 until the action has ended.
func (c *Client) PackageURI(ctx context.Context, action string) (string, rawjson.Value, error) {
	return c.link(ctx, GetPackageURI, action)
}

// link calls an operation that answers with one link, which the service wraps in an extra pair of quotes now and then.
func (c *Client) link(ctx context.Context, operation Operation, args ...string) (string, rawjson.Value, error) {
	whole, err := c.get(ctx, operation, args...)
	if err != nil {
		return "", "", err
	}
	found := strings.Trim(whole.Text("value"), `"`)
	if found == "" {
		return "", "", lacks(operation, "without the link that it must have", whole)
	}
	return found, whole, nil
}

// StartInvestigation starts an automated investigation. Microsoft ended this in September 2026.
func (c *Client) StartInvestigation(ctx context.Context, machine, comment string) (rawjson.Value, error) {
	return c.change(ctx, StartInvestigation, "id", reason{comment}, machine)
}

// Investigations lists automated investigations.
func (c *Client) Investigations(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListInvestigations, q)
}

// Investigation reads one automated investigation.
func (c *Client) Investigation(ctx context.Context, id string) (rawjson.Value, error) {
	return c.get(ctx, GetInvestigation, id)
}
