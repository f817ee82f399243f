package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/internal/cli/local"
	"xsoar-defender/params"
)

// instance is an integration instance that was read from a file.
type instance struct {
	// name is shown. identity tells instances apart: it is the name in the file, or else the file's path.
	name, identity string
	params         json.RawMessage
}

// instanceFile is the form of an instance file that has a name. The other form is the parameters alone.
type instanceFile struct {
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params"`
}

// readInstance reads an instance file. Its errors never quote the file, which holds secrets.
func readInstance(path string) (instance, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return instance{}, fmt.Errorf("reading the instance file: %w", err)
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil || keys == nil {
		return instance{}, fmt.Errorf("the instance file %s is not a JSON object of parameters", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return instance{}, fmt.Errorf("finding the instance file: %w", err)
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if keys["params"] == nil {
		return instance{name: name, identity: absolute, params: text}, nil
	}
	var named instanceFile
	if json.Unmarshal(text, &named) != nil || json.Unmarshal(named.Params, &keys) != nil {
		return instance{}, fmt.Errorf("the instance file %s needs a JSON object of parameters under params and text under name", path)
	}
	if named.Name == "" {
		return instance{name: name, identity: absolute, params: named.Params}, nil
	}
	return instance{name: named.Name, identity: named.Name, params: named.Params}, nil
}

// instanceFlag adds the required flag that names the instance.
func instanceFlag(command *cobra.Command, file *string) {
	command.Flags().StringVar(file, "instance", "", "file with the instance's parameters")
	for _, err := range []error{command.MarkFlagRequired("instance"), command.MarkFlagFilename("instance", "json")} {
		if err != nil {
			panic(err) // only if there is no such flag
		}
	}
}

// open reads an instance file and returns the instance with its host.
func (p *program) open(file string, where storage) (instance, *local.Host, error) {
	of, err := readInstance(file)
	if err != nil {
		return instance{}, nil, err
	}
	host, err := p.host(where, of)
	return of, host, err
}

// storage names the places where a command keeps things.
type storage struct{ state, files string }

// flags adds the flags of the storage to a command.
func (s *storage) flags(command *cobra.Command) {
	s.stateFlag(command)
	command.Flags().StringVar(&s.files, "files", ".", "folder for the files of entries")
	if err := command.MarkFlagDirname("files"); err != nil {
		panic(err) // only if there is no such flag
	}
}

func (s *storage) stateFlag(command *cobra.Command) {
	command.Flags().StringVar(&s.state, "state", "", "file that keeps sign-ins (default: in the user's state folder)")
	if err := command.MarkFlagFilename("state", "json"); err != nil {
		panic(err) // only if there is no such flag
	}
}

// host returns the host of an instance.
func (p *program) host(where storage, of instance) (*local.Host, error) {
	if where.state == "" {
		state, err := local.DefaultState(p.Getenv, p.ConfigDir)
		if err != nil {
			return nil, failed(err)
		}
		where.state = state
	}
	// With invalid parameters nothing runs, so nothing is kept; the runner reports what is wrong.
	decoded, err := params.Decode(of.params, p.Getenv)
	if err != nil {
		decoded = params.Instance{}
	}
	return local.New(local.Options{
		State: where.state, Key: local.Key(of.identity, decoded), Name: of.name, Files: where.files,
		Errors: p.Errors, Random: p.Random,
	}), nil
}
