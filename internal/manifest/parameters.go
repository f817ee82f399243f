package manifest

import (
	"strings"

	"xsoar-defender/params"
)

// parameterReference writes the page that explains every parameter of an instance.
func parameterReference(declared []params.Parameter) []byte {
	page := &page{}
	page.line(generated)
	page.line("# Instance parameters")
	page.line("The fields of an instance as the platform shows them, with the names that a file for `--instance` spells them by. All that " +
		"is wrong with an instance is said at once, before any request.")
	for _, section := range []string{params.SectionConnect, params.SectionCollect} {
		page.line("## %s", section)
		page.table([]string{"Field", "Name", "Default", "What it is"}, parameterRows(declared, func(one params.Parameter) bool {
			return one.Section == section && !one.Hidden
		}))
	}
	page.line("## Earlier names")
	page.line("These are not shown any more. Instances that still hold them keep working.")
	page.table([]string{"Field", "Name", "Default", "What it is"}, parameterRows(declared, func(one params.Parameter) bool { return one.Hidden }))
	return page.bytes()
}

func parameterRows(declared []params.Parameter, wanted func(params.Parameter) bool) [][]string {
	var rows [][]string
	for _, one := range declared {
		if !wanted(one) {
			continue
		}
		help := prose(one.Help)
		if len(one.Options) > 0 {
			help += " Options: " + prose(strings.Join(one.Options, ", ")) + "."
		}
		rows = append(rows, []string{fieldNames(one), code(one.Name), prose(one.Default), help})
	}
	return rows
}

// fieldNames are the labels of a parameter; one that holds an identifier and a password has two.
func fieldNames(one params.Parameter) string {
	if one.Type == params.TypeCredentials && !one.HiddenUsername {
		return prose(one.Display) + ", " + prose(one.DisplayPassword)
	}
	return prose(one.Display)
}
