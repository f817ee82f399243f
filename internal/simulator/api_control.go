package simulator

import (
	"fmt"
	"slices"
	"time"
)

// ActionView is a machine action as a test sees it.
type ActionView struct {
	ID        string
	Type      string
	MachineID string
	Status    string
	Created   time.Time
}

// AddAlerts raises n alerts with the times of creation from, from+every, from+2*every and so on; with an every of 0
// they all have the same. They are new, and nobody has looked at them.
func (t *Tenant) AddAlerts(n int, from time.Time, every time.Duration) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.populate()
	c.advance(c.now())
	for i := range n {
		c.raise(from.Add(time.Duration(i)*every), len(c.alerts))
	}
}

// AlertIDs are the ids of all alerts, the oldest first; of those raised at the same time, the first made first.
func (t *Tenant) AlertIDs() []string {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := each(c.alerts, func(a *alert) string { return a.ID })
	slices.Reverse(ids)
	return ids
}

// MachineIDs are the ids of all machines in the order that the API lists them: the first twenty run Windows and have
// a user; those that do not report come last.
func (t *Tenant) MachineIDs() []string {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.populate()
	return each(c.machines, func(m *machine) string { return m.ID })
}

// BulkMachines adds n machines that report, run Windows 11 and have no user, for load.
func (t *Tenant) BulkMachines(n int) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.machines = append(c.machines, c.newMachine(fmt.Sprintf("bulk-%05d", len(c.machines)+1), windows11, workstations))
	}
}

// Actions are all machine actions as they are now, the oldest first.
func (t *Tenant) Actions() []ActionView {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.now())
	return each(c.actions, func(a *machineAction) ActionView {
		return ActionView{a.ID, a.Type, a.MachineID, a.Status, a.CreationDateTimeUTC.Time}
	})
}

// FailActions lets machine actions of these types (Isolate, LiveResponse and so on, as the API names them) end as
// Failed, those under way included. Each call replaces the types of the one before; without types none fails.
func (t *Tenant) FailActions(kinds ...string) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.now())
	c.failing = slices.Clone(kinds)
}

// HaltActions stops machine actions from moving on, or lets them continue from where they stopped.
func (t *Tenant) HaltActions(halt bool) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.advance(now)
	switch {
	case halt && c.haltedAt.IsZero():
		c.haltedAt = now
	case !halt && !c.haltedAt.IsZero():
		c.resume(now)
	}
}

// resume puts off what is left of every action by the time that it stood still.
func (c *company) resume(now time.Time) {
	for _, a := range c.actions {
		if a.final() {
			continue
		}
		since := c.haltedAt
		if a.CreationDateTimeUTC.After(since) {
			since = a.CreationDateTimeUTC.Time
		}
		a.plan.ends = a.plan.ends.Add(now.Sub(since))
		if !a.plan.begins.IsZero() {
			a.plan.begins = a.plan.begins.Add(now.Sub(since))
		}
	}
	c.haltedAt = time.Time{}
}

// PageSize sets how many rows a list returns at most before it is cut with a nextLink: at least 1. At the start it is as documented for
// each list, mostly 10,000.
func (t *Tenant) PageSize(n int) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pageSize = max(1, n)
}
