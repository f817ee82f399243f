package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/internal/rawjson"
)

// build describes the build of this program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// unknownCommit is the commit of a build that was not made in a repository.
const unknownCommit = "unknown"

func (p *program) build() build {
	made := build{Version: p.Version, Commit: unknownCommit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return made
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			made.Commit = setting.Value
		case "vcs.modified":
			made.Modified = setting.Value == "true"
		}
	}
	return made
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use: "version", Short: "Show the version, the commit and the platform", Args: noArgs, GroupID: groupSelf,
		Long: `Shows the version of this program, the commit that it was built from, the version of Go that built it, and the
platform that it was built for. Please include this in every problem report.`,
		Example: `  xsoar-defender version
  xsoar-defender version --json`,
		RunE: func(*cobra.Command, []string) error {
			made := p.build()
			if asJSON {
				return p.writeDocument(rawjson.Make(made))
			}
			if made.Modified {
				made.Commit += " with changes"
			}
			lines := []string{
				programName + " " + made.Version,
				"commit    " + made.Commit, "go        " + strings.TrimPrefix(made.Go, "go"), "platform  " + made.Platform,
			}
			_, err := fmt.Fprintln(p.Out, strings.Join(lines, "\n"))
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write the same as one JSON document")
	return command
}

func (p *program) sayVersion() error {
	_, err := fmt.Fprintln(p.Out, programName, p.Version)
	return err
}
