package manifest

import (
	"bytes"
	"fmt"
	"io/fs"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

// The generated files of the repository, by their paths in it.
const (
	integrationPath = "integration.yml"
	commandsPath    = "docs/commands.md"
	parametersPath  = "docs/parameters.md"
	permissionsPath = "docs/permissions.md"
	hostsPath       = "docs/hosts.md"
	readmePath      = "README.md"
)

// File is a generated file.
type File struct {
	// Path leads to it from the root of the repository.
	Path    string
	Content []byte
	// Current reports whether the repository already holds this content.
	Current bool
}

// Files writes what is generated from the declarations. Nothing is changed in the repository.
func Files(repository fs.FS, declared []commands.Command, parameters []params.Parameter) ([]File, error) {
	whole, err := Integration(DevelopmentImage, declared, parameters)
	if err != nil {
		return nil, err
	}
	readme, err := fs.ReadFile(repository, readmePath)
	if err != nil {
		return nil, fmt.Errorf("reading the page with the table: %w", err)
	}
	if readme, err = Readme(readme, declared); err != nil {
		return nil, fmt.Errorf("writing the table of %s: %w", readmePath, err)
	}
	files := []File{
		{Path: integrationPath, Content: whole},
		{Path: commandsPath, Content: CommandReference(declared)},
		{Path: parametersPath, Content: parameterReference(parameters)},
		{Path: permissionsPath, Content: PermissionReference(declared)},
		{Path: hostsPath, Content: hostReference(params.Clouds(), hostOf(params.TokenProxyURL))},
		{Path: readmePath, Content: readme},
	}
	return Compare(repository, files), nil
}

// Compare says of generated files whether the repository holds them already.
func Compare(repository fs.FS, files []File) []File {
	for i := range files {
		held, err := fs.ReadFile(repository, files[i].Path)
		files[i].Current = err == nil && bytes.Equal(held, files[i].Content)
	}
	return files
}
