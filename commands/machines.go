package commands

import (
	"context"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func machineCommands() []func() Command {
	return []func() Command{
		getMachines,
		getMachineDetails,
		findEndpoints,
		getMachineByIP,
		getMachineUsers,
		getMachineAlerts,
		tagMachine,
	}
}

func getMachines() Command {
	type args struct {
		Hostnames []string `arg:"hostname" help:"The fully qualified DNS names of the machines. Several names cannot be combined with several addresses."`
		IPs       []string `arg:"ip" list:"false" help:"The last internal IP addresses of the machines."`
		Risks     []string `arg:"risk_score" values:"Low,Medium,High" help:"Risk scores."`
		Health    []string `arg:"health_status" list:"false" values:"Active,Inactive" help:"The health of the sensor."`
		Platform  []string `arg:"os_platform" list:"false" help:"The operating systems, such as Windows11."`
		PageSize  int      `arg:"page_size" default:"50" min:"1" help:"The number of machines in a page, up to 100000."`
		Page      int      `arg:"page_num" default:"1" min:"0" help:"The page to show; the first is 1."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: "val.ID === obj.ID", View: machineView(),
		Title: "Machines", Columns: machineColumns(), Pages: machinePages(), Empty: "No machine matches.",
	}
	return declare(Command{
		Name: "microsoft-atp-get-machines", Area: Machines,
		Help:    "Lists machines seen in the last 30 days that match all the given conditions.",
		Uses:    []defender.Operation{defender.ListMachines},
		Outputs: []Output{out},
		Example: `os_platform=Windows11 risk_score=High`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if len(in.Hostnames) > 1 && len(in.IPs) > 1 {
			return Report{}, wrong(run, "hostname and ip cannot both have several values")
		}
		// Existing playbooks ask for more than there is, and count pages from 0, and get what the deployed integration returns.
		size, page := min(in.PageSize, 100_000), max(in.Page, 1)
		return out.listReport(run.API.Machines(ctx, defender.Query{
			Filter: defender.And(
				defender.EqualAny("computerDnsName", in.Hostnames),
				defender.EqualAny("lastIpAddress", in.IPs),
				defender.EqualAny("riskScore", in.Risks),
				defender.EqualAny("healthStatus", in.Health),
				defender.EqualAny("osPlatform", in.Platform),
			),
			Limit: size, Skip: (page - 1) * size, FromStart: true,
		}))
	})
}

// given returns a list with the text, or nil if it was not given.
func given(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func getMachineDetails() Command {
	type args struct {
		IDs []string `arg:"machine_id" required:"true" help:"IDs of machines."`
	}
	view := machineView()
	out := Output{
		Path: "MicrosoftATP.Machine", Key: keyedByCapitalID,
		View:  view.With(warroom.Field{Name: "NetworkInterfaces", Make: networkInterfaces, Of: adapterView()}),
		Title: "Machines", Columns: machineColumns("IPAddresses"), Pages: machinePages(),
	}
	return declare(Command{
		Name: "microsoft-atp-get-machine-details", Unnamed: "machine_id", Area: Machines,
		Help:    "Shows machines by their IDs.",
		Uses:    []defender.Operation{defender.GetMachine, defender.ListMachines},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.byIDsReport(ctx, "machine_id", in.IDs, run.API.MachinesByID, run.API.Machine)
	})
}

// endpointVendor is the vendor by which existing playbooks recognize endpoints of this integration.
const endpointVendor = "Microsoft Defender ATP"

// endpointView maps a machine to the platform's standard Endpoint context.
func endpointView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The machine's ID."},
		warroom.Field{Name: "Hostname", From: "computerDnsName", Type: warroom.String, Help: "The machine's fully qualified name."},
		warroom.Field{Name: "OS", From: "osPlatform", Type: warroom.String, Help: "The operating system."},
		warroom.Field{Name: "OSVersion", Type: warroom.String, Help: "The version of the operating system and its architecture.", Make: osVersion},
		warroom.Field{Name: "IPAddress", From: "lastIpAddress", Type: warroom.String, Help: "The last internal IP address."},
		warroom.Field{Name: "Status", Type: warroom.String, Help: "Offline if the machine has been inactive, Online if its sensor reports anything at all.", Make: sensorStatus},
		macField(),
		warroom.Field{Name: "Vendor", Type: warroom.String, Help: "Always " + endpointVendor + ".", Make: func(rawjson.Value) warroom.Value {
			return warroom.Text(endpointVendor)
		}},
	)
}

// osVersion is the version of the operating system and its architecture, as far as they are known, such as "22H2 x64 bit".
func osVersion(machine rawjson.Value) warroom.Value {
	version, architecture := machine.Text("osVersion", "version"), machine.Text("osProcessor", "osArchitecture")
	if architecture != "" && !strings.HasSuffix(strings.ToLower(architecture), "bit") {
		architecture += " bit"
	}
	if text := strings.TrimSpace(version + " " + architecture); text != "" {
		return warroom.Text(text)
	}
	return nil
}

// sensorStatus returns Online or Offline for the states of a sensor, and nothing for a state that is not known.
// See https://learn.microsoft.com/en-us/defender-endpoint/api/machine for the states.
func sensorStatus(machine rawjson.Value) warroom.Value {
	switch machine.Text("healthStatus") {
	case "Active", "ImpairedCommunication", "NoSensorData", "NoSensorDataImpairedCommunication":
		return warroom.Text("Online")
	case "Inactive":
		return warroom.Text("Offline")
	}
	return nil
}

func macField() warroom.Field {
	return warroom.Field{Name: "MACAddress", Type: warroom.String, Help: "The MAC address of the adapter with the last internal IP address.", Make: func(machine rawjson.Value) warroom.Value {
		if mac := macOf(machine); mac != "" {
			return warroom.Text(mac)
		}
		return nil
	}}
}

func findEndpoints() Command {
	type args struct {
		IDs       []string `arg:"id" holds:"machine IDs" help:"IDs of machines."`
		IPs       []string `arg:"ip" help:"The last internal IP addresses of the machines."`
		Hostnames []string `arg:"hostname" help:"The fully qualified DNS names of the machines."`
	}
	endpoint := Output{
		Path: "Endpoint", Key: "val.ID && val.ID == obj.ID && val.Vendor == obj.Vendor", View: endpointView(),
		Title: "Endpoint", Columns: []string{"Hostname", "Status", "IPAddress", "OS", "OSVersion", "MACAddress", "ID", "Vendor"}, Pages: machinePages(),
		Empty: "No machine has any of these IDs, names or addresses.",
	}
	machine := Output{Path: "MicrosoftATP.Machine", Key: keyedByCapitalID, View: detailedMachineView().With(macField()), Single: true}
	return declare(Command{
		Name: "endpoint", Unnamed: "ip", Area: Machines,
		Help:    "Finds machines by their IDs, names or addresses and shows them as endpoints. A machine is found if it has any of the given values.",
		Uses:    []defender.Operation{defender.ListMachines},
		Outputs: []Output{endpoint, machine},
		Example: `hostname=ws-001.contoso.com`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if len(in.IDs)+len(in.Hostnames)+len(in.IPs) == 0 {
			return Report{}, wrong(run, "one of id, ip and hostname must be given")
		}
		machines, err := run.API.MachinesWithAny(ctx,
			defender.AnyOf{Property: "id", Values: in.IDs},
			defender.AnyOf{Property: "computerDnsName", Values: in.Hostnames},
			defender.AnyOf{Property: "lastIpAddress", Values: in.IPs},
		)
		if err != nil {
			return Report{}, err
		}
		whole := machines.Joined()
		return report(endpoint.objectEntries(machines, func(one rawjson.Value) warroom.Entry {
			rows := []rawjson.Value{one}
			contents := whole
			if len(machines.Items) > wholeInEach {
				contents = defender.List{Items: rows}.Joined()
			}
			entry := endpoint.rowsEntry(rows, contents)
			entry.Context = append(entry.Context, machine.context(rows))
			return entry
		})...), nil
	})
}

// wholeInEach is for how many machines the contents of every endpoint are the whole answer, as playbooks know them. With more
// machines each has its own: 1,000 would be a gigabyte.
const wholeInEach = 50

// longestAddress is how far back the service knows which machine had an address
// (https://learn.microsoft.com/defender-endpoint/api/find-machines-by-ip).
const longestAddress = 30 * 24 * time.Hour

func getMachineByIP() Command {
	type args struct {
		IP    string `arg:"ip" required:"true" help:"An internal IP address."`
		At    Moment `arg:"timestamp" required:"true" help:"The time at which the machine had the address, within 15 minutes either way: a date in the last 30 days, or a time span back from now such as 2 hours."`
		Limit int    `arg:"limit" default:"50" min:"1" help:"The maximum number of machines to return."`
		All   bool   `arg:"all_results" default:"false" values:"false,true" help:"Whether to return all machines and ignore the limit."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: keyedByCapitalID, View: detailedMachineView(),
		Title: "Machines", Columns: machineColumns(), Pages: machinePages(), Empty: "No machine had that address at that time.",
	}
	return declare(Command{
		Name: "microsoft-atp-get-machine-by-ip", Area: Machines,
		Help:    "Finds the machines that had an internal IP address at a given time.",
		Uses:    []defender.Operation{defender.FindMachinesByIP},
		Outputs: []Output{out},
		Example: `ip=10.2.1.17 timestamp="2 hours"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if in.All {
			in.Limit = 0
		}
		in.At.withinReach(run, longestAddress, longestRetry) // what is further back is for the service to refuse
		return out.listReport(run.API.MachinesByIP(ctx, in.IP, in.At.Time, in.Limit))
	})
}

// userView maps a user of the service.
func userView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The user's ID, as domain and name."},
		warroom.Field{Name: "AccountName", From: "accountName", Type: warroom.String, Help: "The account's name."},
		warroom.Field{Name: "AccountDomain", From: "accountDomain", Type: warroom.String, Help: "The account's domain."},
		warroom.Field{Name: "AccountSID", From: "accountSid", Type: warroom.String, Help: "The account's security identifier."},
		warroom.Field{Name: "FirstSeen", From: "firstSeen", Type: warroom.Date, Help: "When the user was first seen."},
		warroom.Field{Name: "LastSeen", From: "lastSeen", Type: warroom.Date, Help: "When the user was last seen."},
		warroom.Field{Name: "MostPrevalentMachineID", From: "mostPrevalentMachineId", Type: warroom.String, Help: "The ID of the machine that the user uses most."},
		warroom.Field{Name: "LeastPrevalentMachineID", From: "leastPrevalentMachineId", Type: warroom.String, Help: "The ID of the machine that the user uses least."},
		warroom.Field{Name: "LogonTypes", From: "logonTypes", Type: warroom.String, Help: "How the user logged on."},
		warroom.Field{Name: "LogonCount", From: "logOnMachinesCount", Type: warroom.Number, Help: "The number of machines that the user logged on to."},
		warroom.Field{Name: "DomainAdmin", From: "isDomainAdmin", Type: warroom.Boolean, Help: "Whether the user administers the domain."},
		warroom.Field{Name: "NetworkUser", From: "isOnlyNetworkUser", Type: warroom.Boolean, Help: "Whether the user only logs on over the network."},
	)
}

func getMachineUsers() Command {
	type args struct {
		Machine string `arg:"machine_id" required:"true" help:"The ID of a machine."`
	}
	// The service does not repeat the machine in each user, so the handler adds it.
	view := func(machine string) *warroom.View {
		return userView().With(warroom.Field{Name: "MachineID", Type: warroom.String, Help: "The ID of the machine.", Make: func(rawjson.Value) warroom.Value {
			return warroom.Text(machine)
		}})
	}
	out := Output{
		Path: "MicrosoftATP.MachineUser", Key: "val.ID && val.ID == obj.ID && val.MachineID && val.MachineID == obj.MachineID", View: view(""),
		Title:   "Users of the machine",
		Columns: []string{"LastSeen", "AccountDomain", "AccountName", "DomainAdmin", "LogonTypes", "NetworkUser", "FirstSeen", "ID"},
		Empty:   "No user logged on to the machine.",
	}
	return declare(Command{
		Name: "microsoft-atp-get-machine-users", Unnamed: "machine_id", Area: Machines,
		Help:    "Lists the users who logged on to a machine.",
		Uses:    []defender.Operation{defender.ListMachineUsers},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		users, err := run.API.MachineUsers(ctx, in.Machine)
		if err != nil {
			return Report{}, err
		}
		shown := out
		shown.View = view(in.Machine)
		return report(shown.listEntry(users)), nil
	})
}

func getMachineAlerts() Command {
	type args struct {
		Machine string `arg:"machine_id" required:"true" help:"The ID of a machine."`
	}
	out := Output{
		Path: "MicrosoftATP.MachineAlerts", Key: "val.ID && val.ID == obj.ID && val.MachineID && val.MachineID == obj.MachineID", View: alertView(),
		Title: "Alerts of the machine", Columns: alertColumns(), Pages: alertPages(), Empty: "The machine has no alert.",
	}
	return declare(Command{
		Name: "microsoft-atp-get-machine-alerts", Unnamed: "machine_id", Area: Machines,
		Help:    "Lists the alerts of a machine.",
		Uses:    []defender.Operation{defender.ListMachineAlerts},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.listReport(run.API.MachineAlerts(ctx, in.Machine))
	})
}

func tagMachine() Command {
	type args struct {
		Machine string `arg:"machine_id" required:"true" help:"The ID of a machine."`
		Action  string `arg:"action" required:"true" values:"Add,Remove" help:"Whether to add the tag or to remove it."`
		Tag     string `arg:"tag" required:"true" help:"The tag."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: "val.ID === obj.ID", View: machineView(), Title: "Tags of the machine",
		Columns: []string{"ComputerDNSName", "MachineTags", "HealthStatus", "RiskScore", "ExposureLevel", "OSPlatform", "LastExternalIPAddress", "ID"}, Pages: machinePages(),
	}
	return declare(Command{
		Name: "microsoft-atp-add-remove-machine-tag", Area: Machines,
		Help:    "Adds a tag to a machine or removes it.",
		Uses:    []defender.Operation{defender.TagMachine},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` action=Add tag=quarantine`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.objectReport(run.API.TagMachine(ctx, in.Machine, in.Action, in.Tag))
	})
}
