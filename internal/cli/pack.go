package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/pack"
	"xsoar-defender/warroom"
)

// packOptions are the flags of pack.
type packOptions struct {
	out, image, version string
	copy                bool
}

func (p *program) packCommand() *cobra.Command {
	var options packOptions
	command := &cobra.Command{
		Use: "pack", Short: "Write the content pack to upload to the platform", Args: noArgs, GroupID: groupPlatform,
		Long: `Writes the content pack of this version: the integration, incident types with their fields, layouts, classifier and
mappers, a dashboard, and playbooks. It is a zip archive in the form of the platform's uploads. If FILE ends in .yml, only the integration is
written, as one file.

With --copy the integration can be installed next to the one of the Marketplace, for a trial: it has its own ID, name
and instances.

The same version and image give the same bytes. An existing file is replaced.`,
		Example: `  xsoar-defender pack --image registry.example/xsoar-defender:1.0.0 --version 1.0.0
  xsoar-defender pack --image registry.example/xsoar-defender:1.0.0 --out integration.yml`,
		RunE: func(*cobra.Command, []string) error { return p.pack(options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.out, "out", "", "file to write, .zip or .yml (default: xsoar-defender-VERSION.zip)")
	flags.StringVar(&options.image, "image", "", "container image with this program (default: a placeholder)")
	flags.StringVar(&options.version, "version", "", "version of the pack, three numbers (default: that of the program)")
	flags.BoolVar(&options.copy, "copy", false, "write a copy of the integration, whose ID and name end in _copy")
	if err := command.MarkFlagFilename("out", "zip", "yml"); err != nil {
		panic(err) // only if there is no such flag
	}
	return command
}

func (p *program) pack(options packOptions) error {
	source := pack.Source{
		Manifest: p.Manifest, Commands: commands.NewRegistry().All(),
		Image: options.image, Version: options.version, Copy: options.copy,
	}
	if source.Version == "" {
		source.Version = pack.Version(p.Version)
	}
	if options.out == "" {
		options.out = programName + "-" + source.Version + ".zip"
	}
	write := map[string]func() ([]byte, error){
		".zip": source.Zip, ".yml": source.Integration,
	}[strings.ToLower(filepath.Ext(options.out))]
	if write == nil {
		return usage("--out must end in .zip or .yml; got %q", options.out)
	}
	written, err := write()
	if err != nil {
		return packError(err)
	}
	if err := save(options.out, written); err != nil {
		return failed(err)
	}
	screen := p.screen("")
	screen.paragraph(fmt.Sprintf("Wrote %s: version %s, image %s.", options.out, source.Version, source.NamedImage()))
	if options.image == "" {
		fmt.Fprintln(p.Errors, "The image is a placeholder. Name the one that you built with --image.")
	}
	if source.Version == pack.NoVersion {
		fmt.Fprintln(p.Errors, "The version is a placeholder. Name one with --version.")
	}
	return nil
}

// packError distinguishes a usage error from a failure of the program.
func packError(err error) error {
	if _, ok := errors.AsType[*pack.ImageError](err); ok {
		return usage("--image: %w", err)
	}
	if _, ok := errors.AsType[*pack.VersionError](err); ok {
		return usage("--version: %w", err)
	}
	return failed(err)
}

// save writes a file that everybody may read.
func save(file string, content []byte) error {
	if err := folderExists(file, "--out"); err != nil {
		return err
	}
	if err := maybe.WriteFile(file, content, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", warroom.Visible(file), err)
	}
	return nil
}

// folderExists returns an error if the folder of a file that a flag names does not exist.
func folderExists(file, flag string) error {
	folder := filepath.Dir(file)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder %s does not exist: create it, or name another one with %s", warroom.Visible(folder), flag)
	}
	return nil
}
