// Package kql holds the hunting queries of the eight purpose commands and binds an analyst's conditions into them.
//
// A query is a reviewable text of our own, one file for each purpose under queries/<family>/<purpose>.kql (or
// queries/<family>.kql where a command has no purposes). The head of the file names the question it answers, the tables
// it reads, the columns of its rows, and for each condition the columns it is looked up in:
//
//	// question: Which processes of these devices ...?
//	// tables: DeviceProcessEvents
//	// lookup: DeviceFileCertificateInfo
//	// columns: Timestamp, DeviceName, ...
//	// device_name: DeviceName
//	// file_name: FileName, InitiatingProcessFileName
//	// requires: file_name
//
// "lookup" are tables read for details only, whatever the time range. "requires" names conditions of which at least one
// must be given; each such line is a group of its own. "ignores" names conditions that the command takes but that the
// question has no use for. Any other key may be repeated to continue its list.
//
// In the body, lines of their own mark the places where something is put in, or nothing where nothing was asked:
//
//	//@time              Timestamp > ago(...)
//	//@where             the conditions
//	//@remote_ip_count   a number of distinct remote addresses that must be exceeded
//	//@page              the rows of the requested page; they are sorted just before
//
// Tables, columns and action types are those of the advanced hunting schema at
// https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables.
package kql

import (
	"embed"
	"fmt"
	"slices"
)

//go:embed queries
var queryTexts embed.FS

// Family is one of the purpose commands of advanced hunting. Its value is the end of the command's name, after
// "microsoft-atp-advanced-hunting-".
type Family string

// The families of hunting queries.
const (
	LateralMovementEvidence Family = "lateral-movement-evidence"
	PersistenceEvidence     Family = "persistence-evidence"
	FileOrigin              Family = "file-origin"
	ProcessDetails          Family = "process-details"
	NetworkConnections      Family = "network-connections"
	PrivilegeEscalation     Family = "privilege-escalation"
	Tampering               Family = "tampering"
	CoverUp                 Family = "cover-up"
)

// catalog lists the families and, in the order of the commands' choices, their purposes. Their spelling is part of the
// commands' contract, process_excecution_powershell included.
var catalog = []struct {
	family   Family
	purposes []string
}{
	{LateralMovementEvidence, []string{
		"network_connections", "smb_connections", "credential_dumping", "management_connection",
	}},
	{PersistenceEvidence, []string{
		"scheduled_job", "registry_entry", "startup_folder_changes", "new_service_created", "service_updated",
		"file_replaced", "new_user", "new_group", "group_user_change", "local_firewall_change", "host_file_change",
	}},
	{FileOrigin, nil},
	{ProcessDetails, []string{
		"parent_process", "grandparent_process", "process_details", "beaconing_evidence",
		"powershell_execution_unsigned_files", "process_excecution_powershell",
	}},
	{NetworkConnections, []string{"external_addresses", "dns_query", "encoded_commands"}},
	{PrivilegeEscalation, nil},
	{Tampering, nil},
	{CoverUp, []string{
		"file_deleted", "event_log_cleared", "compromised_information", "connected_devices", "action_types", "common_files",
	}},
}

// Families returns all families, in the order of the commands.
func Families() []Family {
	families := make([]Family, 0, len(catalog))
	for _, entry := range catalog {
		families = append(families, entry.family)
	}
	return families
}

// Purposes returns the choices of the family's query_purpose argument, in order. It is empty for a family whose command
// has no such argument: there the purpose is "".
func (f Family) Purposes() []string {
	for _, entry := range catalog {
		if entry.family == f {
			return slices.Clone(entry.purposes)
		}
	}
	return nil
}

// Build returns the query that answers the question of a purpose under the conditions given.
//
// It fails with *UnknownPurposeError, *MissingConditionError, *UnsupportedConditionError or *InvalidValueError; none of
// them leaves a condition out of the query silently.
func (f Family) Build(purpose string, conditions Conditions) (string, error) {
	query, err := f.query(purpose)
	if err != nil {
		return "", err
	}
	return query.build(conditions)
}

// Ignored returns the conditions that were given and that the question of the purpose has no use for.
func (f Family) Ignored(purpose string, conditions Conditions) ([]Condition, error) {
	query, err := f.query(purpose)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(conditions.given(), func(condition Condition) bool { return !slices.Contains(query.Ignores, condition) }), nil
}

// Queries describes the family's queries, one for each purpose, for documentation and tests.
func (f Family) Queries() ([]Query, error) {
	purposes := f.Purposes()
	if len(purposes) == 0 {
		purposes = []string{""}
	}
	queries := make([]Query, 0, len(purposes))
	for _, purpose := range purposes {
		query, err := f.query(purpose)
		if err != nil {
			return nil, err
		}
		queries = append(queries, query)
	}
	return queries, nil
}

func (f Family) query(purpose string) (Query, error) {
	path, ok := f.path(purpose)
	if !ok {
		return Query{}, &UnknownPurposeError{Family: f, Purpose: purpose}
	}
	text, err := queryTexts.ReadFile(path)
	if err != nil {
		return Query{}, fmt.Errorf("read hunting query: %w", err)
	}
	query, err := parse(string(text))
	if err != nil {
		return Query{}, fmt.Errorf("parse hunting query %s: %w", path, err)
	}
	query.Family, query.Purpose = f, purpose
	return query, nil
}

// path returns where the query of a purpose is, and false for a purpose the family does not have.
func (f Family) path(purpose string) (string, bool) {
	for _, entry := range catalog {
		switch {
		case entry.family != f:
			continue
		case len(entry.purposes) == 0:
			return "queries/" + string(f) + ".kql", purpose == ""
		default:
			return "queries/" + string(f) + "/" + purpose + ".kql", slices.Contains(entry.purposes, purpose)
		}
	}
	return "", false
}
