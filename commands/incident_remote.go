package commands

import (
	"context"
	"net/url"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
)

// incidentRemote is an incident of Defender XDR.
type incidentRemote struct{ run *Run }

func (incidentRemote) incidentType() string { return xdrIncidentType }

func (incidentRemote) fields() []mirroredField {
	return append(mirroredFields("incident", "active, inProgress or resolved"), mirroredField{"customTags", "The tags of the incident. They replace those that it has."})
}

// whole is false: alerts are not in the list, which would be large with them.
func (incidentRemote) whole() bool { return false }

// maxIncidents is how many changed incidents one round of mirroring reads: 20 pages.
const maxIncidents = 1000

func (r incidentRemote) changed(ctx context.Context, since, until time.Time) (defender.List, error) {
	read := func() (defender.List, error) {
		return r.run.API.Incidents(ctx, defender.Query{
			Filter: defender.And(defender.Since("lastUpdateDateTime", since), defender.Before("lastUpdateDateTime", until)),
			Limit:  maxIncidents,
		})
	}
	list, err := read()
	if err != nil || list.More || list.Whole != "" {
		return list, err
	}
	newest := since
	for _, item := range list.Items {
		newest = later(newest, parseTime(item.Text("lastUpdateDateTime")))
	}
	// What the look-back of the next round will not cover is read only now.
	if newest.Sub(since) > 2*r.run.Instance.Mirror.LookBack {
		list.Items, err = readAgain(list, read)
	}
	return list, err
}

func (r incidentRemote) get(ctx context.Context, id string) (rawjson.Value, error) {
	return r.run.API.Incident(ctx, id)
}

func (r incidentRemote) read(incident rawjson.Value) remoteState {
	seen := remoteState{
		ID: incident.Text("id"), Updated: incident.Text("lastUpdateDateTime"), Status: canonicalStatus(incident.Text("status")),
		AssignedTo: incident.Text("assignedTo"), MergedInto: incident.Text("redirectIncidentId"), Resolving: incident.Text("resolvingComment"), Link: incident.Text("incidentWebUrl"),
		Classification: canonicalClassification(incident.Text("classification")), Determination: canonicalDetermination(incident.Text("determination")),
		Comments: commentsOf(incident), Alerts: incident.Items("alerts"),
	}
	if seen.MergedInto != "" {
		seen.Status = statusRedirected
		seen.Link = r.run.Instance.Cloud.Portal() + "/incidents/" + url.PathEscape(seen.MergedInto)
	}
	for _, tag := range incident.Items("customTags") {
		seen.Tags = append(seen.Tags, tag.String())
	}
	return seen
}

func (r incidentRemote) show(incident rawjson.Value) rawjson.Value {
	return incidentShown(incident, r.run.Instance.Fetch.Evidence)
}

func (r incidentRemote) update(ctx context.Context, id string, change remoteChange) error {
	update := graphUpdate(change)
	if change.Status == statusNew {
		update.Status = "active"
	}
	return withDetermination(change.Determination, func(d determination) []string { return d.graph }, func(name string) error {
		update.Determination = name
		_, err := r.run.API.UpdateIncident(ctx, id, update)
		return err
	})
}

// graphUpdate returns a change as Microsoft Graph spells it, but for the determination, which has several names.
func graphUpdate(change remoteChange) defender.IncidentUpdate {
	update := defender.IncidentUpdate{
		Status: lowerFirst(change.Status), Classification: lowerFirst(change.Classification), CustomTags: change.Tags,
	}
	if change.AssignedTo != "" {
		update.AssignedTo = &change.AssignedTo
	}
	return update
}

// lowerFirst turns the spelling of the Defender for Endpoint API into that of Microsoft Graph.
func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

func (r incidentRemote) comment(ctx context.Context, id, text string) error {
	_, err := r.run.API.CommentIncident(ctx, id, text)
	return err
}

// closeAlerts resolves the alerts of an incident that are still open, with the verdict of the incident.
func closeAlerts(ctx context.Context, run *Run, incident rawjson.Value, verdict remoteChange) outcome[rawjson.Value] {
	var open []string
	for _, alert := range incident.Items("alerts") {
		if canonicalStatus(alert.Text("status")) != statusResolved {
			open = append(open, alert.Text("id"))
		}
	}
	update := graphUpdate(remoteChange{Status: statusResolved, Classification: verdict.Classification})
	return forEach(ctx, open, func(ctx context.Context, alert string) (changed rawjson.Value, err error) {
		update := update
		err = withDetermination(verdict.Determination, func(d determination) []string { return d.graph }, func(name string) error {
			update.Determination = name
			changed, err = run.API.UpdateGraphAlert(ctx, alert, update)
			return err
		})
		return changed, err
	})
}

// closeAlerts resolves the open alerts of an incident that was resolved from the platform.
func (o *outgoing) closeAlerts(ctx context.Context) error {
	if _, incident := o.kind.(incidentRemote); !incident || !o.alerts {
		o.alerts = false
		return nil
	}
	object, err := o.kind.get(ctx, o.id)
	if err != nil {
		o.alerts = !final(err)
		return o.fail("its alerts", err)
	}
	now := o.kind.read(object)
	result := closeAlerts(ctx, o.run, object, remoteChange{Classification: now.Classification, Determination: now.Determination})
	if len(result.Left) > 0 {
		return &MirrorError{wordRateLimit, &defender.ThrottledError{Operation: defender.UpdateGraphAlert, After: result.After}}
	}
	o.alerts = false
	for _, one := range result.Failed {
		o.alerts = o.alerts || !final(one.Err)
		if err := o.fail("alert "+one.ID, one.Err); err != nil {
			o.alerts = true
			return err
		}
	}
	return nil
}
