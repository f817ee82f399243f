package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// judgedFileOutput returns the platform's standard path of files, for files that have a verdict.
func judgedFileOutput() Output {
	return Output{
		Path: "File", Key: fileOutput().Key,
		View: warroom.NewView(
			warroom.Field{Name: "MD5", From: "md5", Type: warroom.String, Help: "The file's MD5 hash."},
			warroom.Field{Name: "SHA1", From: "sha1", Type: warroom.String, Help: "The file's SHA-1 hash."},
			warroom.Field{Name: "SHA256", From: "sha256", Type: warroom.String, Help: "The file's SHA-256 hash."},
			warroom.Field{Name: "Type", From: "fileType", Type: warroom.String, Help: "The kind of file."},
			warroom.Field{Name: "Size", From: "size", Type: warroom.Number, Help: "The file's size in bytes."},
			warroom.Field{Name: "Malicious", Make: malicious, Of: warroom.NewView(
				warroom.Field{Name: "Vendor", From: "Vendor", Type: warroom.String, Help: "The vendor of a bad verdict."},
				warroom.Field{Name: "Description", From: "Description", Type: warroom.String, Help: "The reason for a bad verdict."},
			)},
		).Filled(),
	}
}

// malicious returns the standard's object for a file with a bad verdict, or nil for other files.
func malicious(file rawjson.Value) warroom.Value {
	if verdictOf(file) != verdictBad {
		return nil
	}
	reason := strings.TrimSpace(file.Text("determinationType") + " " + file.Text("determinationValue"))
	return warroom.Group{{Key: "Vendor", Value: warroom.Text(endpointVendor)}, {Key: "Description", Value: warroom.Text(reason)}}
}

// verdictOf returns the service's verdict on a file. One that nobody has judged is unknown.
// See https://learn.microsoft.com/en-us/defender-endpoint/api/files for the determinations.
func verdictOf(file rawjson.Value) verdict {
	switch file.Text("determinationType") {
	case "Unknown", "":
		return verdictUnknown
	case "Clean":
		return verdictGood
	}
	return verdictBad
}

func judgeFiles() Command {
	type args struct {
		Hashes []string `arg:"file" required:"true" help:"The SHA-1 or SHA-256 hashes of the files. The service does not know files by MD5."`
	}
	out := Output{
		Path: "MicrosoftATP.File", Key: "val.Sha1 && val.Sha1 == obj.Sha1", Single: true, Title: "File",
		View: fileView().With(warroom.Field{Name: "MD5", From: "md5", Type: warroom.String, Help: "The file's MD5 hash."}).Filled(),
	}
	standard := judgedFileOutput()
	return declare(Command{
		Name: "file", Unnamed: "file", Area: Files,
		Help:    "Shows the service's verdict on files, each in an entry of its own.",
		Uses:    []defender.Operation{defender.GetFile},
		Outputs: []Output{out, standard, scoreOutput()},
		Example: `file=` + exampleFile,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		files := forEach(ctx, in.Hashes, func(ctx context.Context, hash string) (seen, error) {
			file, err := run.API.File(ctx, hash)
			_, throttled := errors.AsType[*defender.ThrottledError](err)
			if _, refused := errors.AsType[*defender.APIError](err); refused && !throttled {
				// The verdicts on the other files are of use without this one.
				return seen{missing: err}, nil
			}
			return seen{file: file}, err
		})
		entries := make([]warroom.Entry, 0, len(files.Done))
		for _, one := range files.Done {
			entries = append(entries, judgedFileEntry(run, out, standard, one.ID, one.Value))
		}
		return files.finish("file", entries...)
	})
}

// seen is a file, or the error of reading it.
type seen struct {
	file    rawjson.Value
	missing error
}

// judgedFileEntry shows one file with its score.
func judgedFileEntry(run *Run, out, standard Output, hash string, file seen) warroom.Entry {
	if file.missing == nil {
		entry := out.objectEntry(file.file)
		entry.Context = append(entry.Context, standard.context([]rawjson.Value{file.file}), fileScore(run, hash, verdictOf(file.file)))
		return entry
	}
	text := fmt.Sprintf("The file %s could not be read. %s", hash, file.missing)
	if defender.NotFound(file.missing) {
		text = fmt.Sprintf("The file %s is not known: the service has not seen it.", hash)
	}
	entry := warroom.Say(text)
	if kind := hashKindOf(hash); kind != "" {
		bare := rawjson.Make(map[string]string{strings.ToLower(string(kind)): hash})
		entry.Context = append(entry.Context, standard.context([]rawjson.Value{bare}))
	}
	entry.Context = append(entry.Context, fileScore(run, hash, verdictUnknown))
	return entry
}

// fileScore is the score of a file, under the vendor that existing playbooks know verdicts on files by.
func fileScore(run *Run, hash string, score verdict) warroom.Context {
	return scoreOutput().context([]rawjson.Value{vendorScore(run, endpointVendor, hash, fileIndicator, score)})
}

// prevalenceOutput returns the platform's standard path of files, for how often one was seen.
func prevalenceOutput() Output {
	return Output{
		Path: "File", Key: fileOutput().Key,
		View: warroom.NewView(
			warroom.Field{Name: "SHA1", From: "sha1", Type: warroom.String, Help: "The file's SHA-1 hash."},
			warroom.Field{Name: "OrganizationPrevalence", From: "organizationPrevalence", Type: warroom.Number, Help: "The number of machines in the organization on which it was seen."},
			warroom.Field{Name: "GlobalPrevalence", From: "globallyPrevalence", Type: warroom.Number, Help: "The number of machines worldwide on which it was seen."},
			warroom.Field{Name: "OrganizationFirstSeen", From: "orgFirstSeen", Type: warroom.Date, Help: "When it was first seen in the organization."},
			warroom.Field{Name: "OrganizationLastSeen", From: "orgLastSeen", Type: warroom.Date, Help: "When it was last seen in the organization."},
			warroom.Field{Name: "FirstSeenBySource", From: "globalFirstObserved", Type: warroom.Date, Help: "When it was first seen anywhere."},
			warroom.Field{Name: "LastSeenBySource", From: "globalLastObserved", Type: warroom.Date, Help: "When it was last seen anywhere."},
		),
	}
}
