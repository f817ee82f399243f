// Package pack makes what is uploaded to the platform: the integration alone, in one file, or a content pack with the
// incident type, the classifier, the mapper and the playbooks that go with it.
package pack

import (
	"archive/zip"
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"xsoar-defender/commands"
)

// content are the items of the pack other than the integration, in the folders of a pack and under the names that
// demisto-sdk names them there (content_graph/common.py, server_name).
//
//go:embed content
var content embed.FS

const contentFolder = "content"

// Source holds the inputs of a pack.
type Source struct {
	// Manifest is that of the integration, as the package manifest writes it.
	Manifest string
	// Commands are all commands; those that the platform itself calls are not listed.
	Commands []commands.Command
	// Image is the container image that holds the program; empty leaves the one that the manifest names.
	Image string
	// Version is the version of the pack: three numbers, as Version returns them.
	Version string
	// Copy makes a pack for a trial next to the integration of the Marketplace and next to a pack that is not a copy: the IDs and names
	// of the integration and of all items end in "_copy", as upload-custom-integration of demisto-sdk asks of copies.
	Copy bool
}

// copySuffix ends the ID and the names of a copy.
const copySuffix = "_copy"

// ManifestError reports that the manifest lacks a key that it must have.
type ManifestError struct{ Key string }

func (e *ManifestError) Error() string { return "the manifest of the integration has no " + e.Key }

// ImageError reports that a text is not a name of a container image with a tag or a digest, without which the platform would
// run whatever image is the latest.
type ImageError struct{ Image string }

func (e *ImageError) Error() string {
	return fmt.Sprintf("%q is not the name of an image: write it as NAME:TAG, with its registry where it needs one", e.Image)
}

// VersionError reports that a text is not a version of a pack.
type VersionError struct{ Version string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("%q is not the version of a pack: write three numbers, such as 1.0.0", e.Version)
}

// NoVersion is the version of a pack that has none.
const NoVersion = "0.0.0"

// Version returns the version of a pack for a version of the program: the three numbers at its beginning, which are all
// that a pack can have. A build between releases may have none, and then it is NoVersion.
func Version(program string) string {
	if numbers := regexp.MustCompile(`^\d+\.\d+\.\d+`).FindString(program); numbers != "" {
		return numbers
	}
	return NoVersion
}

// check looks at what the user chose. It returns an *ImageError or a *VersionError.
func (s Source) check() error {
	if s.Image != "" && !isImage(s.Image) {
		return &ImageError{s.Image}
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(s.Version) {
		return &VersionError{s.Version}
	}
	return nil
}

// isImage reports whether a text is a reference to an image with a tag or a digest, by the grammar of references
// (https://github.com/distribution/reference). None of them means anything else in YAML.
func isImage(text string) bool {
	const (
		host   = `(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?`
		part   = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
		tag    = `:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
		digest = `@sha256:[0-9a-f]{64}`
	)
	return regexp.MustCompile(`^` + host + part + `(?:/` + part + `)*(?:` + tag + `(?:` + digest + `)?|` + digest + `)$`).MatchString(text)
}

// imageKey is the key of the image, with its indentation.
const imageKey = "  dockerimage"

// Integration writes the integration in one file, with the image of the source. It returns an *ImageError, a
// *VersionError or a *ManifestError.
func (s Source) Integration() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	text, err := replace(s.Manifest, imageKey, func(named string) string { return cmp.Or(s.Image, named) })
	if err != nil {
		return nil, err
	}
	if s.Copy {
		for _, key := range []string{"  id", "name", "display"} {
			if text, err = replace(text, key, func(named string) string { return named + copySuffix }); err != nil {
				return nil, err
			}
		}
	}
	return []byte(text), nil
}

// NamedImage is the image that the integration is going to name.
func (s Source) NamedImage() string { return cmp.Or(s.Image, line(s.Manifest, imageKey)) }

// replace sets another value for a key of a YAML mapping, where its value is on one line. The manifest is our own, so
// that its form is known, and a library that reads YAML would stay in the memory of every process that serves the
// platform. A missing key returns a *ManifestError.
func replace(text, key string, value func(string) string) (string, error) {
	before, rest, found := strings.Cut("\n"+text, "\n"+key+": ")
	old, after, ended := strings.Cut(rest, "\n")
	if !found || !ended {
		return "", &ManifestError{strings.TrimSpace(key)}
	}
	return strings.TrimPrefix(before+"\n"+key+": "+value(old)+"\n"+after, "\n"), nil
}

// The classifier and the mappers that an instance of the pack has unless others are chosen.
const (
	classifierID     = "Defender - Classifier"
	incomingMapperID = "Defender - Incoming mapper"
	outgoingMapperID = "Defender - Outgoing mapper"
)

// Zip writes the content pack in the form in which the platform takes it for an upload, which is the one that demisto-sdk
// makes of a pack in its repository (content_graph/objects/pack.py, dump): the items in a folder for each kind, under
// names that begin with their kind, and metadata.json next to the pack_metadata.json of the repository. The same source
// makes the same bytes. It returns an *ImageError, a *VersionError or a *ManifestError.
func (s Source) Zip() ([]byte, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	archive := zip.NewWriter(&written)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		// The time is the earliest that an archive can hold: any other would tell two builds apart.
		file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = file.Write(files[name])
		}
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	return written.Bytes(), nil
}

// named sets a key at the top of a manifest, whether or not the manifest has the key.
func named(manifest []byte, key, value string) []byte {
	text, err := replace(string(manifest), key, func(string) string { return value })
	if err != nil {
		text = string(manifest) + key + ": " + value + "\n"
	}
	return []byte(text)
}

// files are the files of the pack by their paths in it.
func (s Source) files() (map[string][]byte, error) {
	integration, err := s.Integration()
	if err != nil {
		return nil, err
	}
	integration = named(integration, "defaultclassifier", classifierID)
	integration = named(integration, "defaultmapperin", incomingMapperID)
	integration = named(integration, "defaultmapperout", outgoingMapperID)
	files := map[string][]byte{}
	err = fs.WalkDir(content, contentFolder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := content.ReadFile(name)
		files[strings.TrimPrefix(name, contentFolder+"/")] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the items of the pack: %w", err)
	}
	files[integrationPath] = integration
	if s.Copy {
		files = copied(files, line(s.Manifest, "name"))
	}
	items, err := s.items(files)
	if err != nil {
		return nil, err
	}
	if files["pack_metadata.json"], files["metadata.json"], err = s.metadata(items); err != nil {
		return nil, err
	}
	files["README.md"] = readme(items)
	files[path.Join("ReleaseNotes", strings.ReplaceAll(s.Version, ".", "_")+".md")] = s.releaseNotes(items)
	return files, nil
}
