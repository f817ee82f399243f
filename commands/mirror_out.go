package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func updateRemoteSystem() Command {
	type args struct {
		ID      string          `arg:"remoteId" help:"The ID of the alert, or of the XDR incident. Without it nothing is changed, because mirroring creates neither."`
		Data    []rawjson.Value `arg:"data" help:"The mapped fields of the incident, as a JSON object."`
		Delta   []rawjson.Value `arg:"delta" help:"The mapped fields that changed, as a JSON object."`
		Entries []rawjson.Value `arg:"entries" help:"The War Room entries to send as comments, as a JSON list of objects."`
		Changed *bool           `arg:"incidentChanged" help:"Whether the incident itself changed, and not only its entries."`
		Status  string          `arg:"status" help:"The state of the incident: 0 pending, 1 active, 2 closed, 3 archived."`
	}
	return declare(Command{
		Name: "update-remote-system", Area: Mirroring, Mirrors: true,
		Help: "Sends the changes of a mirrored incident to its alert or XDR incident in Defender.",
		Uses: []defender.Operation{
			defender.GetAlert, defender.UpdateAlert, defender.GetIncident, defender.UpdateIncident, defender.AddIncidentComment, defender.UpdateGraphAlert,
		},
		Example: `remoteId=` + exampleAlert + ` delta="{\"status\":\"InProgress\"}" status=1`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if problems := run.Instance.Fetch.Problems; problems != nil {
			return Report{}, problems
		}
		if in.ID == "" {
			return report(warroom.Entry{}, warroom.Say("The incident has no alert or incident in Defender, and mirroring creates none.")), nil
		}
		o := &outgoing{run: run, kind: remoteOf(run, in.ID), id: in.ID, data: first(in.Data), delta: first(in.Delta), status: in.Status}
		if in.Changed == nil || *in.Changed {
			o.wants(ctx)
		}
		o.wantsComments(in.Entries)
		err := o.send(ctx)
		o.keep(ctx)
		if err != nil {
			return Report{}, err
		}
		return report(o.entries(ctx)...), nil
	})
}

// first returns the first of several objects, or an empty one.
func first(objects []rawjson.Value) rawjson.Value {
	if len(objects) == 0 {
		return "{}"
	}
	return objects[0]
}

// outgoing takes the changes of one incident to Defender.
type outgoing struct {
	run         *Run
	kind        remote
	id          string
	data, delta rawjson.Value
	status      string

	// change, comments and alerts are what is still to be done; alerts reports whether the alerts of a resolved incident are
	// to be resolved.
	change   remoteChange
	comments []string
	alerts   bool
	// unassigns reports whether the analyst removed the assignee.
	unassigns bool
	// reopens reports whether the incident was reopened, which matters only if the alert is resolved.
	reopens bool
	// keeps reports whether a verdict that was not set by the analyst gives way to an existing determination.
	keeps bool
	// asked and askedComments are all that was to be done, and before holds the fields as they were, or is nil if they could
	// not be read. earlier is what an earlier run could not send, if this one tries it again.
	asked         remoteChange
	askedComments []string
	before        *remoteChange
	earlier       *unsent
	// failed lists what may be tried again, and refused what the service would refuse again.
	failed, refused []failure
	notes           []string
}

// field reads a mapped field, whose name may be in upper or lower case.
func field(object rawjson.Value, name string) (text string, given bool) {
	object.Each(func(key string, value rawjson.Value) {
		if strings.EqualFold(key, name) && value != "null" {
			text, given = strings.TrimSpace(value.String()), true
		}
	})
	return text, given
}

// closes reports whether the incident is closed, and reopened whether it was closed before.
func (o *outgoing) closes() bool {
	if o.status == "" {
		reason, _ := field(o.delta, "closeReason")
		return reason != ""
	}
	return slices.Contains([]string{"2", "3", "done", "closed", "archive"}, strings.TrimSuffix(strings.ToLower(o.status), ".0"))
}

func (o *outgoing) reopened() bool {
	for _, name := range []string{"closeReason", "closeNotes", "closingUserId"} {
		if text, given := field(o.delta, name); given && text == "" && !o.closes() {
			return true
		}
	}
	return false
}

// wants collects what the incident asks for.
func (o *outgoing) wants(ctx context.Context) {
	settings := o.run.Instance.Mirror
	given, _ := field(o.delta, "status")
	switch status := canonicalStatus(given); status {
	case statusNew, statusInProgress, statusResolved:
		o.change.Status = status
	case "", statusRedirected, statusAwaiting: // not for an analyst to set
	default:
		o.unknown("status", given)
	}
	assignee, assigned := field(o.delta, "assignedTo")
	o.change.AssignedTo, o.unassigns = assignee, assigned && assignee == ""
	if owner, given := field(o.delta, "owner"); given && owner != "" && settings.Owners {
		o.change.AssignedTo = cmp.Or(o.address(ctx, owner), o.change.AssignedTo)
		if o.change.AssignedTo == "" {
			o.notes = append(o.notes, fmt.Sprintf("The owner %s was not sent: Cortex XSOAR knows no email address of that user.", owner))
		}
	}
	classification, _ := field(o.delta, "classification")
	if o.change.Classification = canonicalClassification(classification); o.change.Classification == "" && !standsForNone(classification) {
		o.unknown("classification", classification)
	}
	verdict, _ := field(o.delta, "determination")
	if o.change.Determination = canonicalDetermination(verdict); o.change.Determination == "" && !standsForNone(verdict) {
		o.unknown("determination", verdict)
	}
	if text, _ := field(o.delta, "comment"); text != "" {
		o.change.Comment = o.signed(text, fieldMark)
	}
	if tags := o.delta.Key("customTags"); tags.Exists() {
		o.change.Tags = append([]string{}, listOf(tags)...)
	}
	switch {
	case !settings.CloseRemote:
	case o.closes():
		o.resolves()
	case o.reopened():
		o.reopens, o.change.Status = true, statusInProgress
	}
}

// unknown notes that a value was not sent because Defender does not know it.
func (o *outgoing) unknown(name, value string) {
	o.notes = append(o.notes, fmt.Sprintf("The %s %s was not sent to %s: Defender has none of that name.", name, value, o.id))
}

// address returns the email address of a user of the platform.
func (o *outgoing) address(ctx context.Context, username string) string {
	if username == "" {
		return ""
	}
	found, err := o.run.Host.FindUser(ctx, username, "")
	if err != nil {
		return ""
	}
	return found.Text("email")
}

// resolves adds what closing the incident means: the status, the verdict and the notes.
func (o *outgoing) resolves() {
	o.change.Status = statusResolved
	reason, _ := field(o.delta, "closeReason")
	notes, _ := field(o.delta, "closeNotes")
	if reason == "" {
		reason, _ = field(o.data, "closeReason")
	}
	if notes != "" {
		o.change.Comment = o.signed(notes, closeMark)
	}
	if o.change.Classification != "" {
		return
	}
	classification, _ := field(o.data, "classification")
	if set := canonicalClassification(classification); set != "" {
		verdict, _ := field(o.data, "determination")
		o.change.Classification = set
		o.change.Determination = cmp.Or(o.change.Determination, canonicalDetermination(verdict))
		return
	}
	verdict := o.run.Instance.Mirror.ReasonsOut[params.ReasonKey(reason)]
	o.change.Classification, o.change.Determination, o.keeps = verdict.Classification, cmp.Or(o.change.Determination, verdict.Determination), true
}

// longestComment is how many characters of a comment are sent. Microsoft documents no limit for alerts, and 1,000 for
// comments of Defender XDR incidents (https://learn.microsoft.com/graph/api/security-incident-post-comments).
const longestComment = 1000

// signed returns a comment with the mark by which it is recognized, so that it neither comes back nor is sent again.
func (o *outgoing) signed(text, entry string) string {
	incident, _ := field(o.data, "id")
	signature := "\n[Cortex XSOAR " + withoutBrackets(cmp.Or(incident, o.run.Investigation, "-")) + "/" + withoutBrackets(entry) + "]"
	const hint = " … (cut; the whole text is in Cortex XSOAR)"
	if room := longestComment - utf8.RuneCountInString(signature); utf8.RuneCountInString(text) > room {
		text = string([]rune(text)[:room-utf8.RuneCountInString(hint)]) + hint
	}
	return text + signature
}

func withoutBrackets(text string) string {
	return strings.NewReplacer("[", "", "]", "", "\n", " ").Replace(text)
}

// fileEntry is the type of an entry that holds a file.
const fileEntry = "3"

// wantsComments collects the entries that become comments.
func (o *outgoing) wantsComments(entries []rawjson.Value) {
	settings := o.run.Instance.Mirror
	for _, one := range entries {
		tags := listOf(one.Key("tags"))
		has := func(tag string) bool {
			return slices.ContainsFunc(tags, func(each string) bool { return strings.EqualFold(each, tag) })
		}
		// What came from Defender does not go back, whatever other tags it got.
		if has(settings.TagFrom) || (len(tags) > 0 && !has(settings.TagTo)) {
			continue
		}
		text := entryText(one)
		if strings.TrimSpace(text) == "" || isOwn(text) {
			continue
		}
		if user := one.Text("user"); user != "" {
			text = "(" + user + "): " + text
		}
		o.comments = append(o.comments, o.signed(text, cmp.Or(one.Text("id"), mark(text))))
	}
}

// entryText is the text of an entry as a comment. Defender takes no files, so that a file is only named.
func entryText(entry rawjson.Value) string {
	if entry.Text("type") != fileEntry && !entry.Has("file") {
		return entry.Text("contents")
	}
	name := cmp.Or(entry.Text("file", "fileName", "name"), "without a name")
	text := "file " + name
	if digest := entry.Get("fileMetadata.sha256"); digest.Type == gjson.String && digest.Str != "" {
		text += ", SHA-256 " + digest.Str + ","
	}
	return text + " is in Cortex XSOAR"
}

// send makes the changes that are left to be made. Failures are collected, so that none keeps the others from being made;
// only running out of quota ends the work. What stays to be tried again is left in change, comments and alerts.
func (o *outgoing) send(ctx context.Context) error {
	o.asked, o.askedComments = o.change, o.comments
	if !o.left() && !o.unassigns {
		return nil
	}
	now, err := o.look(ctx)
	if err != nil {
		if final(err) {
			o.change, o.comments, o.alerts = remoteChange{}, nil, false
		}
		return o.fail("reading it", err)
	}
	before := now.fields()
	o.before = &before
	o.outdated(now)
	o.fit(now)
	if o.change.Status == statusResolved && now.Status == statusResolved {
		o.remember(ctx, true) // was resolved on both sides: neither must be told of the other
	}
	o.change = o.change.from(now)
	if _, incident := o.kind.(incidentRemote); incident && o.change.Comment != "" {
		// Microsoft Graph takes a comment alone.
		o.comments, o.change.Comment = append([]string{o.change.Comment}, o.comments...), ""
	}
	if err := o.sendChange(ctx, now); err != nil {
		return err
	}
	if err := o.closeAlerts(ctx); err != nil {
		return err
	}
	return o.sendComments(ctx, now)
}

// sendComments adds the comments that Defender does not have yet.
func (o *outgoing) sendComments(ctx context.Context, now remoteState) error {
	var again []string
	for len(o.comments) > 0 {
		text := o.comments[0]
		if !now.has(text) {
			err := o.once(ctx, func() error { return o.kind.comment(ctx, o.id, text) }, func(now remoteState) bool { return now.has(text) })
			if failed := o.fail("a comment", err); failed != nil {
				o.comments = append(again, o.comments...)
				return failed
			}
			if err != nil && !final(err) {
				again = append(again, text)
			}
		}
		o.comments = o.comments[1:]
	}
	o.comments = again
	return nil
}

// has reports whether a comment is there.
func (s remoteState) has(text string) bool {
	return slices.ContainsFunc(s.Comments, func(one remoteComment) bool { return sameSent(text, one.Text) })
}

// sameSent reports whether a comment that is there is the one that is to be sent. That of an entry has a mark of its own; the
// notes of a close and a mapped comment may be written several times.
func sameSent(text, there string) bool {
	_, own := cutLast(text)
	if strings.HasSuffix(own, "/"+closeMark+"]") || strings.HasSuffix(own, "/"+fieldMark+"]") {
		return sameComment(text, there)
	}
	return strings.HasSuffix(strings.TrimSpace(there), own)
}

// The marks of comments that are not entries.
const (
	closeMark = "close"
	fieldMark = "comment"
)

// cutLast cuts a text before its last line.
func cutLast(text string) (before, last string) {
	at := strings.LastIndex(text, "\n")
	if at < 0 {
		return "", text
	}
	return text[:at], text[at+1:]
}

func (o *outgoing) look(ctx context.Context) (remoteState, error) {
	object, err := o.kind.get(ctx, o.id)
	if err != nil {
		return remoteState{}, err
	}
	return o.kind.read(object), nil
}

// fit adapts the change to what is there.
func (o *outgoing) fit(now remoteState) {
	if o.reopens && now.Status != statusResolved {
		o.change.Status = "" // is open already
	}
	if now.Status == statusRedirected { // was merged: it stays what it is
		fields := o.change
		if fields.Status, fields.Comment = "", ""; !fields.empty() {
			o.notes = append(o.notes, "No field of "+o.id+" was changed: it was merged into Defender XDR incident "+now.MergedInto+", "+now.Link+" .")
		}
		o.change = remoteChange{Comment: o.change.Comment}
	}
	if notes, own := cutLast(o.change.Comment); strings.HasSuffix(own, "/"+closeMark+"]") && isEcho(notes, now) {
		o.change.Comment = ""
	}
	if o.unassigns && o.change.AssignedTo == "" && now.AssignedTo != "" {
		o.notes = append(o.notes, fmt.Sprintf("The assignee %s of %s stays in Defender: mirroring removes none.", now.AssignedTo, o.id))
	}
	if o.keeps && o.change.Classification == now.Classification && now.Determination != "" {
		o.change.Determination = ""
	}
	classification := cmp.Or(o.change.Classification, now.Classification)
	if set := o.change.Determination; set != "" && !slices.Contains(params.Determinations(classification), set) {
		o.notes = append(o.notes, fmt.Sprintf("The determination %s was not sent: it does not fit the classification %s.", set, cmp.Or(classification, "Unknown")))
		o.change.Determination = ""
	}
}

// sendChange changes the fields.
func (o *outgoing) sendChange(ctx context.Context, now remoteState) error {
	if o.change.empty() {
		return nil
	}
	status, before := o.change.Status, now
	err := o.once(ctx, func() error { return o.kind.update(ctx, o.id, o.change) }, func(now remoteState) bool {
		o.change = o.change.from(now)
		return o.change.empty()
	})
	if err != nil {
		if final(err) {
			o.change = remoteChange{}
		}
		return o.fail("its fields", err)
	}
	o.change = remoteChange{}
	if status != "" && (status == statusResolved || before.Status == statusResolved) {
		o.remember(ctx, status == statusResolved)
	}
	o.alerts = o.alerts || status == statusResolved && o.run.Instance.Mirror.CloseAlerts
	return nil
}

// remember takes note of a close or a reopening that came from the platform, so that it does not come back.
func (o *outgoing) remember(ctx context.Context, resolved bool) {
	state, known := loadMirrorState(ctx, o.run)
	if !known {
		return
	}
	status := statusInProgress
	if resolved {
		status = statusResolved
	}
	if !state.observe(remoteState{ID: o.id, Status: status}) {
		return
	}
	if delete(state.Turned, o.id); resolved {
		state.Turned[o.id] = ours
	}
	// No process may take what it has read in this round for the newest: it would undo the change.
	state.Round = ""
	if err := state.save(ctx, o.run); err != nil {
		o.run.Host.Log(ctx, "The state of mirroring could not be saved: "+err.Error())
	}
}

// once makes a change once, even if the answer to it is lost: then it checks whether the change was made before it sends
// it again.
func (o *outgoing) once(ctx context.Context, send func() error, made func(now remoteState) bool) error {
	// What was read before the change is no longer so, also if the answer is lost.
	defer o.run.Mirrored.forget(o.id)
	err := send()
	if !defender.MayHaveActed(err) {
		return err
	}
	now, lookErr := o.look(ctx)
	if lookErr != nil {
		return err
	}
	if made(now) {
		return nil
	}
	return send()
}

// fail collects a failure. It returns only those that the platform must act on.
func (o *outgoing) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	if err := rateLimited(err); isMirrorError(err) {
		return err
	}
	if final(err) {
		o.refused = append(o.refused, failure{what, err})
	} else {
		o.failed = append(o.failed, failure{what, err})
	}
	return nil
}

// entries returns the answer, which is the remote ID, and what the analyst must know.
func (o *outgoing) entries(ctx context.Context) []warroom.Entry {
	entries := []warroom.Entry{{Literal: o.id}}
	if len(o.failed) == 0 && len(o.refused) == 0 && len(o.notes) == 0 {
		return entries
	}
	warning := warroom.Entry{Kind: warroom.Warning}
	for _, text := range o.notes {
		warning.Blocks = append(warning.Blocks, warroom.Paragraph(text))
	}
	for _, one := range slices.Concat(o.refused, o.failed) {
		warning.Blocks = append(warning.Blocks, warroom.Paragraph(o.failureText(one)))
		o.run.Host.Log(ctx, o.failureText(one))
	}
	if o.left() && mirrorsOut(o.run) {
		warning.Blocks = append(warning.Blocks, warroom.Paragraph("It is tried again in the next rounds of mirroring."))
	}
	return append(entries, warning)
}
