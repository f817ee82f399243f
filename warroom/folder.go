package warroom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// FolderError means that files cannot be saved where the platform looks for them.
type FolderError struct{ Err error }

// Error explains why, and what to do about it.
func (e *FolderError) Error() string {
	return fmt.Sprintf("Files for the War Room cannot be saved: %s. %s", withoutPath(e.Err), e.remedy())
}

// remedy depends on the reason. The platform's settings for the user of a container are described at
// https://docs-cortex.paloaltonetworks.com/r/Cortex-XSOAR/6.10/Cortex-XSOAR-Administrator-Guide/Docker-Hardening-Guide.
func (e *FolderError) remedy() string {
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "Free space on the disk of the engine, or give the container more of it."
	case errors.Is(e.Err, syscall.EMFILE), errors.Is(e.Err, syscall.ENFILE):
		return "Raise the limit of open files of the container (nofile)."
	case errors.Is(e.Err, fs.ErrNotExist):
		return "Restart the container: the folder that it was started in is gone."
	case errors.Is(e.Err, syscall.EIO):
		return "Check the disk of the engine: it fails."
	}
	return fmt.Sprintf("Run the container as a user who may write to its working directory (it runs as %d): "+
		"let docker.run.internal.asuser name that user, or exempt the image with docker.run.internal.asuser.ignore.", os.Getuid())
}

// Unwrap returns the reason.
func (e *FolderError) Unwrap() error { return e.Err }

// probeSize is how much a probe writes in bytes: a full disk still takes the name of a file, and often a few bytes.
const probeSize = 16 << 10

// ProbeFolder saves a file and removes it. The error is a *FolderError.
func ProbeFolder(store FileStore) error {
	id, file, err := store.Create()
	if err != nil {
		return &FolderError{err}
	}
	_, err = file.Write(make([]byte, probeSize))
	for _, more := range []error{file.Close(), store.Discard(id)} {
		if err == nil {
			err = more
		}
	}
	if err != nil {
		return &FolderError{err}
	}
	return nil
}
