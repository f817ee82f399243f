package execution

import (
	"encoding/json"
	"sync"

	"xsoar-defender/params"
)

// Instances keeps the instance that was decoded last: the executions of one process nearly always have the same parameters,
// and to read a private key takes longer than everything else that a small command does. The zero value is ready to use, and a
// nil one keeps nothing.
type Instances struct {
	mutex    sync.Mutex
	params   string
	instance params.Instance
}

// decode decodes the parameters of an instance. See params.Decode, whose result depends on nothing that changes while the
// process runs.
func (i *Instances) decode(raw json.RawMessage, env func(string) string) (params.Instance, error) {
	if i == nil {
		return params.Decode(raw, env)
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.params != "" && i.params == string(raw) {
		return i.instance, nil
	}
	instance, err := params.Decode(raw, env)
	if err == nil {
		i.params, i.instance = string(raw), instance
	}
	return instance, err
}
