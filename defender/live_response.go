package defender

import (
	"context"
	"strconv"

	"xsoar-defender/internal/rawjson"
)

// LiveResponseCommand is one command of a live response session.
type LiveResponseCommand struct {
	// Type is PutFile, RunScript or GetFile.
	Type   string                  `json:"type"`
	Params []LiveResponseParameter `json:"params"`
}

// LiveResponseParameter is one parameter of a live response command: FileName for PutFile, ScriptName and
// Args for RunScript, Path for GetFile.
type LiveResponseParameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// RunLiveResponse starts a live response session that runs the commands one after another. A machine has one
// session at a time: a second one is refused with ActiveRequestExists.
func (c *Client) RunLiveResponse(ctx context.Context, machine, comment string, commands []LiveResponseCommand) (MachineAction, error) {
	body := struct {
		Commands []LiveResponseCommand `json:"Commands"`
		Comment  string                `json:"Comment"`
	}{commands, comment}
	return asAction(c.post(ctx, RunLiveResponse, body, machine))
}

// LiveResponseLink returns the link to the result of one command of a session, and the answer as received. The
// link is valid for 30 minutes and needs no token.
func (c *Client) LiveResponseLink(ctx context.Context, action string, index int) (string, rawjson.Value, error) {
	return c.link(ctx, GetLiveResponseLink, action, strconv.Itoa(index))
}
