package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"xsoar-defender/warroom"
)

// Create opens a new file for an entry. It has a temporary name until Keep renames it.
func (h *Host) Create() (string, warroom.OutputFile, error) {
	drawn, err := uuid.NewRandomFromReader(h.options.Random)
	if err != nil {
		return "", nil, fmt.Errorf("naming a file: %w", err)
	}
	if err := os.MkdirAll(h.folder(), ownFolder); err != nil {
		return "", nil, fmt.Errorf("creating the folder for files: %w", err)
	}
	root, err := os.OpenRoot(h.folder())
	if err != nil {
		return "", nil, fmt.Errorf("opening the folder for files: %w", err)
	}
	defer root.Close()
	file, err := root.OpenFile(unnamed(drawn.String()), os.O_CREATE|os.O_EXCL|os.O_RDWR, ownFile)
	if err != nil {
		return "", nil, fmt.Errorf("creating a file: %w", err)
	}
	return drawn.String(), file, nil
}

// Discard removes a file that was not completed.
func (h *Host) Discard(id string) error {
	root, err := os.OpenRoot(h.folder())
	if err != nil {
		return fmt.Errorf("opening the folder for files: %w", err)
	}
	defer root.Close()
	return root.Remove(unnamed(id))
}

// Reopen opens a file that was created and not completed.
func (h *Host) Reopen(id string) (warroom.OutputFile, error) {
	if uuid.Validate(id) != nil {
		return nil, fmt.Errorf("opening a file: %w", fs.ErrNotExist)
	}
	root, err := os.OpenRoot(h.folder())
	if err != nil {
		return nil, fmt.Errorf("opening the folder for files: %w", err)
	}
	defer root.Close()
	file, err := root.OpenFile(unnamed(id), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a file: %w", err)
	}
	return file, nil
}

// Open opens a file by its path, as there is no War Room with entries.
func (h *Host) Open(_ context.Context, entry string) (string, warroom.InputFile, error) {
	file, err := warroom.OpenInput(entry)
	if err != nil {
		return "", nil, &warroom.FileError{Entry: entry, Err: err}
	}
	return filepath.Base(entry), file, nil
}

// mostNumbers is the largest number of files of one name in a folder.
const mostNumbers = 10_000

// Keep renames the completed file of an entry and returns its new name. The service influences the name, so it is made
// harmless, and gets a number if it is taken. Nothing is overwritten, and no file leaves the folder.
func (h *Host) Keep(file warroom.File) (string, error) {
	root, err := os.OpenRoot(h.folder())
	if err != nil {
		return "", fmt.Errorf("opening the folder for files: %w", err)
	}
	defer root.Close()
	wanted := safeName(file.Name)
	for before := range mostNumbers {
		name := numbered(wanted, before+1)
		// The empty file holds the name against every other process; the rename then replaces it.
		place, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, ownFile)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("saving %s: %w", name, err)
		}
		if err := errors.Join(place.Close(), root.Rename(unnamed(file.ID), name)); err != nil {
			return "", fmt.Errorf("saving %s: %w", name, err)
		}
		return name, nil
	}
	return "", fmt.Errorf("saving %s: the folder has %d files of that name already", wanted, mostNumbers)
}

func (h *Host) folder() string {
	if h.options.Files == "" {
		return "."
	}
	return h.options.Files
}

// unnamed returns the name of a file before it is complete. An id is a UUID, so this is a plain file name.
func unnamed(id string) string { return ".xsoar-defender-" + id }

const (
	// longestName is the longest name in bytes, short enough to add a number within the 255 that file systems have.
	longestName = 200
	// longestExtension is the longest extension in bytes that a shortened name keeps.
	longestExtension = 20
)

// safeName turns any text into a plain, visible file name.
func safeName(text string) string {
	text = text[strings.LastIndexAny(text, `/\`)+1:]
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, text)
	// A leading dot would hide the file; Windows drops dots and spaces at the end.
	text = strings.TrimRight(strings.TrimLeft(text, ". "), ". ")
	if text == "" {
		return "file"
	}
	if Reserved(text) {
		text = "_" + text
	}
	if len(text) <= longestName {
		return text
	}
	extension := filepath.Ext(text)
	if len(extension) > longestExtension {
		extension = ""
	}
	return strings.ToValidUTF8(text[:longestName-len(extension)], "") + extension
}

// Reserved reports whether Windows reserves a file name for a device, whatever its extension
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func Reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, is := strings.CutPrefix(base, "COM")
	if !is {
		number, is = strings.CutPrefix(base, "LPT")
	}
	return is && utf8.RuneCountInString(number) == 1 && strings.ContainsAny(number, "0123456789¹²³")
}

func numbered(name string, number int) string {
	if number == 1 {
		return name
	}
	extension := filepath.Ext(name)
	return strings.TrimSuffix(name, extension) + " (" + strconv.Itoa(number) + ")" + extension
}
