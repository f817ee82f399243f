// Command release makes everything of a release: the program for every platform, the content pack, the image as an
// archive, a bill of materials, and checksums. It needs Go alone. The same commit and version give the same bytes on
// every machine.
//
// It is a module of its own, so that what it imports is not part of the program's.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const name = "xsoar-defender"

// platform is an operating system and architecture that the program is built for.
type platform struct{ system, processor string }

func platforms() []platform {
	return []platform{
		{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
	}
}

// release is one release while it is made.
type release struct {
	version, image, source, out string
	// at is the time of the commit, which every file in an archive has.
	at time.Time
}

func main() {
	r := release{}
	flag.StringVar(&r.version, "version", "", "version, three numbers")
	flag.StringVar(&r.image, "image", "", "name of the image that the pack names, without a tag")
	flag.StringVar(&r.source, "source", ".", "folder of the repository")
	flag.StringVar(&r.out, "out", "dist", "folder for the files of the release")
	flag.Parse()
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r release) make() error {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(r.version) || flag.NArg() > 0 {
		return errors.New("usage: .ci/release/run -version 1.2.3 [-image NAME] [-out FOLDER]")
	}
	if r.image == "" {
		r.image = name + "/runtime"
	}
	var err error
	if r.source, err = filepath.Abs(r.source); err != nil {
		return err
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	left, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the folder %s is not empty", r.out)
	}
	when, err := r.run(nil, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return err
	}
	if r.at, err = time.Parse(time.RFC3339, strings.TrimSpace(string(when))); err != nil {
		return err
	}
	r.at = r.at.UTC()
	scratch, err := os.MkdirTemp("", name+"-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	steps := []func(string) error{r.programs, r.pack, r.imageArchive, r.materials}
	for _, step := range steps {
		if err := step(scratch); err != nil {
			return err
		}
	}
	return r.checksums()
}

// run runs a command in the repository, and returns what it writes.
func (r release) run(environment []string, words ...string) ([]byte, error) {
	command := exec.Command(words[0], words[1:]...)
	command.Dir = r.source
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return out, nil
}

func (r release) program(scratch string, p platform) string {
	file := filepath.Join(scratch, p.system+"-"+p.processor, name)
	if p.system == "windows" {
		file += ".exe"
	}
	return file
}

// build builds the program. It is static, and tells its version and commit.
func (r release) build(scratch string, p platform) error {
	_, err := r.run(
		[]string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + p.system, "GOARCH=" + p.processor, "GOAMD64=v1"},
		"go", "build", "-trimpath", "-buildvcs=true", "-tags", "timetzdata", "-ldflags", "-s -w -X main.version="+r.version,
		"-o", r.program(scratch, p), ".")
	return err
}

// file is a file of an archive.
type file struct {
	name    string
	content []byte
	mode    fs.FileMode
	link    string
}

// programs builds the program for every platform, and puts it into an archive with what a user needs in addition.
func (r release) programs(scratch string) error {
	for _, p := range platforms() {
		if err := r.build(scratch, p); err != nil {
			return err
		}
		base := strings.Join([]string{name, r.version, p.system, p.processor}, "_")
		program, err := os.ReadFile(r.program(scratch, p))
		if err != nil {
			return err
		}
		files := []file{{name: filepath.Base(r.program(scratch, p)), content: program, mode: 0o755}}
		for _, pattern := range []string{"LICENSE", "README.md", "CHANGELOG.md", "docs/licences.md", "docs/man/*.1", "docs/completions/*"} {
			more, err := r.files(pattern)
			if err != nil {
				return err
			}
			files = append(files, more...)
		}
		for i := range files {
			files[i].name = base + "/" + files[i].name
		}
		write, ending := r.tarball, ".tar.gz"
		if p.system == "windows" {
			write, ending = r.zip, ".zip"
		}
		if err := write(filepath.Join(r.out, base+ending), files); err != nil {
			return err
		}
	}
	return nil
}

// files reads files of the repository.
func (r release) files(pattern string) ([]file, error) {
	paths, err := filepath.Glob(filepath.Join(r.source, filepath.FromSlash(pattern)))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("there is no %s (%v)", pattern, err)
	}
	slices.Sort(paths)
	var found []file
	for _, one := range paths {
		content, err := os.ReadFile(one)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(r.source, one)
		if err != nil {
			return nil, err
		}
		found = append(found, file{name: filepath.ToSlash(relative), content: content, mode: 0o644})
	}
	return found, nil
}

// tar writes files in their order, with everything in the headers fixed that a machine has a say in.
func (r release) tar(to io.Writer, files []file) error {
	writer := tar.NewWriter(to)
	for _, one := range files {
		header := &tar.Header{
			Name: one.name, Mode: int64(one.mode.Perm()), Size: int64(len(one.content)), ModTime: r.at, Format: tar.FormatPAX,
			Typeflag: tar.TypeReg, Linkname: one.link,
		}
		switch {
		case one.link != "":
			header.Typeflag = tar.TypeSymlink
		case one.mode.IsDir():
			header.Typeflag = tar.TypeDir
		}
		if one.mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		if _, err := writer.Write(one.content); err != nil {
			return err
		}
	}
	return writer.Close()
}

func (r release) tarball(name string, files []file) error {
	var archive bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&archive, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := errors.Join(r.tar(compressed, files), compressed.Close()); err != nil {
		return err
	}
	return os.WriteFile(name, archive.Bytes(), 0o644)
}

func (r release) zip(name string, files []file) error {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for _, one := range files {
		header := &zip.FileHeader{Name: one.name, Method: zip.Deflate, Modified: r.at}
		header.SetMode(one.mode)
		part, err := writer.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := part.Write(one.content); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(name, archive.Bytes(), 0o644)
}

// pack writes the content pack with a program for this machine.
func (r release) pack(scratch string) error {
	host := platform{runtime.GOOS, runtime.GOARCH}
	if !slices.Contains(platforms(), host) {
		if err := r.build(scratch, host); err != nil {
			return err
		}
	}
	_, err := r.run(nil, r.program(scratch, host), "pack", "--version", r.version, "--image", r.image+":"+r.version,
		"--out", filepath.Join(r.out, name+"-pack-"+r.version+".zip"))
	return err
}

// imageArchive writes the image for both processors that engines have as an archive in the layout of the Open Container
// Initiative, which needs no container engine here and no registry there: docker load, podman load and skopeo read it.
func (r release) imageArchive(scratch string) error {
	folder := filepath.Join(scratch, "layout")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var index v1.ImageIndex = empty.Index
	for _, processor := range []string{"amd64", "arm64"} {
		image, err := r.imageFor(scratch, processor)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: processor}},
		})
	}
	whole := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{
			"org.opencontainers.image.ref.name": r.version, "io.containerd.image.name": r.image + ":" + r.version,
		}},
	})
	if _, err := layout.Write(folder, whole); err != nil {
		return err
	}
	files, err := filesIn(folder)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(one file) bool { return one.mode.IsDir() })
	for i := range files {
		files[i].mode = 0o644 // whatever the mask of this process is
	}
	var archive bytes.Buffer
	if err := r.tar(&archive, files); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name+"-image-"+r.version+".oci.tar"), archive.Bytes(), 0o644)
}

// filesIn reads the folders, files and links below a folder, in the order of their names.
func filesIn(folder string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(folder, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || at == folder {
			return err
		}
		about, err := entry.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, at)
		if err != nil {
			return err
		}
		one := file{name: filepath.ToSlash(relative), mode: about.Mode()}
		switch {
		case entry.IsDir():
			one.name += "/"
		case about.Mode()&fs.ModeSymlink != 0:
			one.link, err = os.Readlink(at)
		default:
			one.content, err = os.ReadFile(at)
		}
		files = append(files, one)
		return err
	})
	return files, err
}

// imageFor assembles the image for a processor, of the same files as the Dockerfile does.
func (r release) imageFor(scratch, processor string) (v1.Image, error) {
	tree := filepath.Join(scratch, "image-"+processor)
	if _, err := r.run([]string{"VERSION=" + r.version, "TARGETARCH=" + processor, "GOFLAGS="}, "container/assemble", tree); err != nil {
		return nil, err
	}
	files, err := filesIn(tree)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	if err := r.tar(&content, files); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	if image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: r.at}, CreatedBy: "container/assemble"},
	}); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = processor, "linux", v1.Time{Time: r.at}
	config.Config = v1.Config{
		Env: []string{"PATH=/usr/local/bin", "GOMAXPROCS=1"}, WorkingDir: "/var/lib/" + name, Cmd: []string{"python"},
		Labels: map[string]string{"org.opencontainers.image.title": name, "org.opencontainers.image.version": r.version},
	}
	return mutate.ConfigFile(image, config)
}

// materials writes the bill of materials: the modules that are linked, as the program itself tells them.
func (r release) materials(scratch string) error {
	info, err := buildinfo.ReadFile(r.program(scratch, platform{"linux", "amd64"}))
	if err != nil {
		return err
	}
	bill := cyclonedx.NewBOM()
	bill.Metadata = &cyclonedx.Metadata{
		Timestamp: r.at.Format(time.RFC3339),
		Component: &cyclonedx.Component{
			BOMRef: name, Type: cyclonedx.ComponentTypeApplication, Name: name, Version: r.version,
		},
	}
	components := []cyclonedx.Component{{
		BOMRef: "go", Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		address := "pkg:golang/" + module.Path + "@" + module.Version
		components = append(components, cyclonedx.Component{
			BOMRef: address, Type: cyclonedx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: address,
		})
	}
	bill.Components = &components
	var text bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	if err := encoder.Encode(bill); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name+"-"+r.version+".cdx.json"), text.Bytes(), 0o644)
}

// checksums writes the SHA-256 of every file, as sha256sum -c reads them.
func (r release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(content), path.Base(entry.Name()))
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(text.String()), 0o644)
}
