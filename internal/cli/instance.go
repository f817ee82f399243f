package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// instance is an integration instance that was read from a file.
type instance struct {
	// name is shown. identity tells instances apart: it is the name in the file, or else the file's path.
	name, identity string
	params         json.RawMessage
}

// request returns a request to run a command of the instance.
func (i instance) request(command string, args map[string]json.RawMessage) execution.Request {
	return execution.Request{Command: command, Args: args, Params: i.params, Instance: i.name, Brand: commands.Brand}
}

// instanceFile is the form of an instance file that has a name. The other form is the parameters alone.
type instanceFile struct {
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params"`
}

// instanceVariable names the instance of commands without --instance.
const instanceVariable = "XSOAR_DEFENDER_INSTANCE"

// readInstance reads the instance that --instance, the environment or the default names: one that is kept, a file, or
// the standard input. Its errors never quote the instance, which holds secrets.
func (p *program) readInstance(named string) (instance, error) {
	if named == "" {
		named = p.Getenv(instanceVariable)
	}
	if named == "-" {
		content, err := io.ReadAll(io.LimitReader(p.In, largestInstance))
		if err != nil {
			return instance{}, invalid(fmt.Errorf("reading the instance: %w", err))
		}
		return p.parseInstance(content, "the instance on the standard input", "stdin", "stdin")
	}
	kept, err := p.keptInstances()
	if err != nil && named == "" {
		return instance{}, err
	}
	if named == "" {
		if named, err = kept.defaultName(); err != nil {
			return instance{}, err
		}
		if named == "" {
			return instance{}, kept.noInstance()
		}
	}
	if kept.has(named) {
		content, err := kept.read(named)
		if err != nil {
			return instance{}, err
		}
		return p.parseInstance(content, "the instance "+named, named, named)
	}
	content, err := os.ReadFile(named)
	if errors.Is(err, fs.ErrNotExist) {
		return instance{}, kept.unknown(named)
	}
	if err != nil {
		return instance{}, invalid(fmt.Errorf("reading the instance file: %w", err))
	}
	absolute, err := filepath.Abs(named)
	if err != nil {
		return instance{}, failed(fmt.Errorf("finding the instance file: %w", err))
	}
	return p.parseInstance(content, "the instance file "+named, strings.TrimSuffix(filepath.Base(named), filepath.Ext(named)), absolute)
}

// largestInstance bounds an instance that is read from the standard input, in bytes.
const largestInstance = 1 << 20

// parseInstance reads the two forms of an instance. what names it in errors; name and identity are those of one that has
// no name itself.
func (p *program) parseInstance(content []byte, what, name, identity string) (instance, error) {
	var keys map[string]json.RawMessage
	content = bytes.TrimPrefix(content, []byte(rawjson.ByteOrderMark))
	if json.Unmarshal(content, &keys) != nil || keys == nil {
		return instance{}, invalid(fmt.Errorf("%s is not a JSON object of parameters", what))
	}
	found := instance{name: name, identity: identity, params: content}
	if keys["params"] != nil {
		var named instanceFile
		if json.Unmarshal(content, &named) != nil || json.Unmarshal(named.Params, &keys) != nil {
			return instance{}, invalid(fmt.Errorf("%s needs a JSON object of parameters under params and text under name", what))
		}
		found.params = named.Params
		if named.Name != "" {
			found.name, found.identity = named.Name, named.Name
		}
	}
	for _, line := range unknownParameters(found.params) {
		fmt.Fprintf(p.Errors, "%s: warning: %s: %s\n", programName, warroom.Visible(what), warroom.Visible(line))
	}
	return found, nil
}

// instanceFlag adds the flag that names the instance.
func (p *program) instanceFlag(command *cobra.Command, named *string) {
	command.Flags().StringVarP(named, "instance", "i", "", "`name` of an instance, or a file with its parameters, or - for the standard input")
	err := command.RegisterFlagCompletionFunc("instance", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		kept, err := p.keptInstances()
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return kept.names(), cobra.ShellCompDirectiveDefault
	})
	if err != nil {
		panic(err) // only if there is no such flag
	}
}

// open reads an instance and returns it with its host.
func (p *program) open(named string, where storage) (instance, *local.Host, error) {
	of, err := p.readInstance(named)
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
	command.Flags().StringVar(&s.files, "files", ".", "`folder` for the files of entries")
	if err := command.MarkFlagDirname("files"); err != nil {
		panic(err) // only if there is no such flag
	}
}

func (s *storage) stateFlag(command *cobra.Command) {
	command.Flags().StringVar(&s.state, "state", "", "`file` that keeps sign-ins, or none to keep nothing (default: in the user's state folder)")
	if err := command.MarkFlagFilename("state", "json"); err != nil {
		panic(err) // only if there is no such flag
	}
}

// noState is the value of --state with which nothing is kept, as on the platform while an instance is tested that is not saved.
const noState = "none"

// host returns the host of an instance.
func (p *program) host(where storage, of instance) (*local.Host, error) {
	if where.state == "" {
		state, err := local.DefaultState(p.Getenv, p.ConfigDir)
		if err != nil {
			return nil, failed(err)
		}
		where.state = state
	}
	if where.state == noState {
		where.state = ""
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
