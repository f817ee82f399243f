package simulator

// PortalView is the tenant as an analyst would see it in the portal: its devices, its alerts, and the action center.
type PortalView struct {
	Machines []PortalMachine `json:"machines"`
	Alerts   []PortalAlert   `json:"alerts"`  // the newest first
	Actions  []PortalAction  `json:"actions"` // the newest first
}

// PortalMachine is a device of the portal.
type PortalMachine struct {
	Name   string `json:"name"`
	Health string `json:"health"`
	Risk   string `json:"risk"`
	// Isolated reports whether the last isolation or release that succeeded was an isolation.
	Isolated bool `json:"isolated"`
}

// PortalAlert is an alert of the portal.
type PortalAlert struct {
	Title    string `json:"title"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Machine  string `json:"machine"`
}

// PortalAction is an entry of the action center.
type PortalAction struct {
	Type    string `json:"type"`
	Machine string `json:"machine"`
	Status  string `json:"status"`
}

// mostInPortal is how many rows the portal shows of each list: the first page.
const mostInPortal = 50

// Portal returns the portal as it is now.
func (t *Tenant) Portal() PortalView {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.now())
	view := PortalView{Machines: []PortalMachine{}, Alerts: []PortalAlert{}, Actions: []PortalAction{}}
	isolated := map[string]bool{}
	for _, a := range c.actions {
		switch {
		case a.Status != "Succeeded":
		case a.Type == "Isolate", a.Type == "Unisolate":
			isolated[a.MachineID] = a.Type == "Isolate"
		}
	}
	for _, m := range c.machines[:min(len(c.machines), mostInPortal)] {
		view.Machines = append(view.Machines, PortalMachine{m.ComputerDNSName, m.HealthStatus, m.RiskScore, isolated[m.ID]})
	}
	for _, a := range c.alerts[:min(len(c.alerts), mostInPortal)] {
		view.Alerts = append(view.Alerts, PortalAlert{a.Title, a.Severity, a.Status, a.ComputerDNSName})
	}
	for i := len(c.actions) - 1; i >= 0 && len(view.Actions) < mostInPortal; i-- {
		view.Actions = append(view.Actions, PortalAction{c.actions[i].Type, c.actions[i].ComputerDNSName, c.actions[i].Status})
	}
	return view
}
