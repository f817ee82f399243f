package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func libraryCommands() []func() Command {
	return []func() Command{
		listLibrary,
		uploadToLibrary,
		deleteFromLibrary,
		runSession,
	}
}

// libraryOutput shows files of the live response library.
func libraryOutput(title string) Output {
	return Output{
		Path: "MicrosoftATP.LibraryFile", Key: "val.fileName && val.fileName == obj.fileName",
		View: warroom.NewView(
			asGiven("fileName", warroom.String, "The name of the file, by which live response runs it or puts it on a machine."),
			asGiven("sha256", warroom.String, "The SHA-256 hash of the file."),
			asGiven("description", warroom.String, "The description of the file."),
			asGiven("creationTime", warroom.Date, "The time at which the file was added."),
			asGiven("lastUpdatedTime", warroom.Date, "The time at which the file was last replaced."),
			asGiven("createdBy", warroom.String, "The user or application that added the file."),
			asGiven("hasParameters", warroom.Boolean, "Whether the script takes parameters."),
			asGiven("parametersDescription", warroom.String, "The description of the parameters."),
		),
		Title: title, Columns: []string{"fileName", "sha256", "description", "lastUpdatedTime", "createdBy", "parametersDescription"},
		Empty: "No file of the library matches.",
	}
}

func listLibrary() Command {
	type args struct {
		Name  string `arg:"file_name" help:"The name of the files; case does not matter. * stands for any characters, as in *.ps1."`
		Limit int    `arg:"limit" default:"200" min:"1" help:"The maximum number of files to return."`
	}
	out := libraryOutput("Live response library")
	return declare(Command{
		Name: "microsoft-atp-live-response-library-list", Area: LiveResponse,
		Help:    "Lists the files of the live response library.",
		Uses:    []defender.Operation{defender.ListLibraryFiles},
		Outputs: []Output{out},
		Example: `file_name=*.ps1`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		list, err := run.API.LibraryFiles(ctx)
		if err != nil {
			return Report{}, err
		}
		if in.Name != "" {
			var matching []rawjson.Value
			for _, file := range list.Items {
				if wildcard(in.Name, file.Text("fileName")) {
					matching = append(matching, file)
				}
			}
			list.Items, list.Whole = matching, rawjson.Join(matching)
		}
		if len(list.Items) > in.Limit {
			list.Items, list.More, list.Limited = list.Items[:in.Limit], true, true
		}
		return report(out.listEntry(list)), nil
	})
}

// wildcard reports whether a name matches a pattern in which * stands for any characters.
func wildcard(pattern, name string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	name = strings.ToLower(name)
	if len(parts) == 1 {
		return parts[0] == name
	}
	last := len(parts) - 1
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1:last] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, parts[last])
}

// uploaded is the pair of arguments that a file to upload comes from.
type uploaded struct {
	Entry   string `arg:"entry_id" help:"The ID of the War Room entry with the file. In the terminal, the path of the file."`
	Content string `arg:"content" help:"The text of the file, instead of entry_id: a script that a playbook carries."`
}

// reviewed is a file that is about to be uploaded, with its hash.
type reviewed struct {
	name    string
	content io.ReaderAt
	size    int64
	sha256  string
	close   func() error
}

// TooLargeError reports that a file is too large for the live response library.
type TooLargeError struct{ Name string }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("The file %s was not sent: the library accepts at most %d MB from this API. Upload it in the Microsoft Defender portal.",
		warroom.Visible(e.Name), defender.LargestLibraryFile>>20)
}

// open opens the file and reads it once for its size and hash. The name given is preferred to that of the file.
func (s uploaded) open(ctx context.Context, run *Run, name string) (reviewed, error) {
	switch {
	case s.Entry != "" && s.Content != "":
		return reviewed{}, wrong(run, "entry_id and content exclude each other")
	case s.Content != "" && name == "":
		return reviewed{}, wrong(run, "file_name is missing: content has no name of its own")
	case s.Content != "":
		file, err := review(name, strings.NewReader(exactText(run, "content", s.Content)))
		file.close = func() error { return nil }
		return file, err
	case s.Entry == "":
		return reviewed{}, wrong(run, "entry_id or content is missing")
	}
	own, input, err := run.Host.Open(ctx, s.Entry)
	if err != nil {
		return reviewed{}, err
	}
	if name == "" {
		name = own
	}
	file, err := review(name, input)
	if err != nil {
		return reviewed{}, errors.Join(err, input.Close())
	}
	file.close = input.Close
	return file, nil
}

// exactText is an argument as it was given: white space at its ends, which is otherwise dropped, is part of a script.
func exactText(run *Run, argument, trimmed string) string {
	if given := gjson.ParseBytes(run.raw[argument]); given.Type == gjson.String {
		return given.Str
	}
	return trimmed
}

// FileNameError reports that a text is not a name for a file of the library.
type FileNameError struct{ Name string }

func (e *FileNameError) Error() string {
	return inOneLine(fmt.Sprintf("The file %s was not sent: the name of a file in the library is a plain name such as triage.ps1, without folders. Set file_name.", e.Name))
}

// review reads a file once, for its size and hash.
func review(name string, content io.ReaderAt) (reviewed, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) }) {
		return reviewed{}, &FileNameError{name}
	}
	hash := sha256.New()
	size, err := copyAtMost(hash, io.NewSectionReader(content, 0, math.MaxInt64), defender.LargestLibraryFile)
	if errors.Is(err, errTooLong) {
		return reviewed{}, &TooLargeError{name}
	}
	if err != nil {
		return reviewed{}, &warroom.FileError{Entry: name, Err: err}
	}
	return reviewed{name: name, content: content, size: size, sha256: hex.EncodeToString(hash.Sum(nil))}, nil
}

var errTooLong = errors.New("it is too large")

// copyAtMost copies all that a reader holds, or returns errTooLong once that is more than the given bytes.
func copyAtMost(to io.Writer, from io.Reader, most int64) (int64, error) {
	copied, err := io.Copy(to, io.LimitReader(from, most+1))
	if err == nil && copied > most {
		err = errTooLong
	}
	return copied, err
}

// inLibrary finds a file of the library by its name, whatever the case, as the service does.
func inLibrary(ctx context.Context, run *Run, name string) (rawjson.Value, error) {
	list, err := run.API.LibraryFiles(ctx)
	if err != nil {
		return "", err
	}
	for _, file := range list.Items {
		if strings.EqualFold(file.Text("fileName"), name) {
			return file, nil
		}
	}
	return "", nil
}

// ScriptError reports that the file of the library is not the one that was meant.
type ScriptError struct {
	Name string
	// Want is the SHA-256 hash of the file that was meant, and Got that of the library; empty when it has none of the name.
	Want, Got string
	// Not names the step that was therefore left out: run, or sent.
	Not string
	// Remedy completes the message.
	Remedy string
}

func (e *ScriptError) Error() string {
	if e.Got == "" {
		return inOneLine(fmt.Sprintf("Nothing was %s: the library has no file %s. %s", e.Not, e.Name, e.Remedy))
	}
	return inOneLine(fmt.Sprintf("Nothing was %s: the file %s has the SHA-256 hash %s, not %s. %s", e.Not, e.Name, e.Got, e.Want, e.Remedy))
}

// UnshownUploadError reports that the service accepted a file, but neither its answer nor the library shows it.
type UnshownUploadError struct {
	Name string
	// Err is why the library could not be looked at; nil if it was.
	Err error
}

func (e *UnshownUploadError) Error() string {
	text := "The service accepted the file " + e.Name + " without showing it, and the library does not show it so far."
	if e.Err != nil {
		text = "The service accepted the file " + e.Name + " without showing it, and the library could not be looked at: " + e.Err.Error()
	}
	return inOneLine(text + " The service may have acted on it: list the library before you try again.")
}

func (e *UnshownUploadError) Unwrap() error { return e.Err }

// upload sends a file unless the library has the same one under its name. The file of the library is returned as it is
// afterwards.
func (f reviewed) upload(ctx context.Context, run *Run, send defender.LibraryFile, onlyIfChanged bool) (file rawjson.Value, sent bool, err error) {
	there, err := inLibrary(ctx, run, f.name)
	if err != nil {
		return "", false, err
	}
	hash := there.Text("sha256")
	switch {
	case there != "" && onlyIfChanged && strings.EqualFold(hash, f.sha256):
		return there, false, nil
	case there != "" && !send.Override && strings.EqualFold(hash, f.sha256):
		return "", false, wrong(run, "the library has the file %s already, so override must be true to send it again", f.name)
	case there != "" && !send.Override:
		return "", false, &ScriptError{Name: f.name, Want: f.sha256, Got: hash, Not: "sent", Remedy: "The library has another file of that name: set override=true to replace it, or choose another file_name."}
	}
	send.Name, send.Content, send.Size = f.name, f.content, f.size
	answer, err := run.API.UploadLibraryFile(ctx, send)
	if err != nil {
		return "", false, err
	}
	file = answer.Whole
	if file.Text("fileName") == "" {
		// The answer shows nothing, so the library itself must.
		if file, err = inLibrary(ctx, run, f.name); err != nil || !strings.EqualFold(file.Text("sha256"), f.sha256) {
			return "", true, &UnshownUploadError{f.name, err}
		}
	}
	if got := file.Text("sha256"); got != "" && !strings.EqualFold(got, f.sha256) {
		return "", true, &ScriptError{Name: f.name, Want: f.sha256, Got: got, Not: "run", Remedy: "The upload arrived altered: delete the file, and upload it again."}
	}
	return with(file, "sha256", f.sha256), true, nil
}

func uploadToLibrary() Command {
	type args struct {
		uploaded
		Name          string `arg:"file_name" help:"The name of the file in the library; by default that of the War Room file."`
		Description   string `arg:"description" help:"The description of the file."`
		Parameters    string `arg:"parameters_description" help:"The description of the script's parameters, for a script that takes some."`
		Override      bool   `arg:"override" default:"false" help:"Whether to replace a different file of the same name."`
		OnlyIfChanged bool   `arg:"only_if_changed" default:"true" help:"Whether to send nothing if the library already has this file, with the same name and SHA-256 hash."`
	}
	out := libraryOutput("Uploaded to the live response library")
	return declare(Command{
		Name: "microsoft-atp-live-response-library-upload", Area: LiveResponse, Executes: true, Polls: true,
		Help:    "Uploads a file of the War Room, or a text, to the live response library. The limit is 20 MB. A file that the library has already is not sent again, and a different one of the same name is replaced only with override.",
		Uses:    []defender.Operation{defender.UploadLibraryFile, defender.ListLibraryFiles},
		Outputs: []Output{out},
		Example: `entry_id=12@34 description="Collects what a responder needs first" override=true`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		file, err := in.open(ctx, run, in.Name)
		if err != nil {
			return Report{}, err
		}
		stored, sent, err := file.upload(ctx, run, defender.LibraryFile{
			Description: in.Description, ParametersDescription: in.Parameters, Override: in.Override,
		}, in.OnlyIfChanged)
		if err := errors.Join(err, file.close()); err != nil {
			return Report{}, err
		}
		entry := out.objectEntry(stored)
		if !sent {
			entry.Blocks = append(entry.Blocks, warroom.Paragraph("The library has this file already; nothing was sent."))
		}
		return report(entry), nil
	})
}

func deleteFromLibrary() Command {
	type args struct {
		Names []string `arg:"file_name" required:"true" help:"The names of the files."`
	}
	out := Output{
		Path: "MicrosoftATP.LibraryFile", Key: "val.fileName && val.fileName == obj.fileName",
		View: warroom.NewView(
			asGiven("fileName", warroom.String, "The name of the file."),
			asGiven("deleted", warroom.Boolean, "Whether the file was deleted; false if the library had no file of that name."),
		),
		Title: "Deleted from the live response library",
	}
	return declare(Command{
		Name: "microsoft-atp-live-response-library-delete", Area: LiveResponse, Executes: true, Polls: true,
		Help:    "Deletes files of the live response library. A missing file is reported, and is not an error.",
		Uses:    []defender.Operation{defender.DeleteLibraryFile},
		Outputs: []Output{out},
		Example: `file_name=triage.ps1`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.eachReport(ctx, "file_name", in.Names, func(ctx context.Context, name string) (rawjson.Value, error) {
			err := run.API.DeleteLibraryFile(ctx, name)
			deleted := !defender.NotFound(err)
			if !deleted {
				err = nil
			}
			return rawjson.Make(map[string]any{"fileName": name, "deleted": deleted}), err
		})
	})
}

// baseName is the last part of a path of any operating system.
func baseName(text string) string { return path.Base(strings.ReplaceAll(text, `\`, "/")) }
