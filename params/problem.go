package params

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with the configuration of an instance.
type Problem struct {
	Field string // the display name of the parameter, as the user sees it in the instance
	Fix   string // one sentence about the value to put there; it holds no value of the configuration that may be secret
}

// String returns the display name and the fix in one line.
func (p Problem) String() string { return p.Field + ": " + p.Fix }

// Problems is the error of Decode: everything wrong with a configuration, in the order of the parameters.
type Problems struct{ List []Problem }

// Error lists every problem, one per line when there are several.
func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return "The configuration of the instance is invalid. " + p.List[0].String()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "The configuration of the instance is invalid: %d fields need a change:", len(p.List))
	for _, problem := range p.List {
		text.WriteString("\n- " + problem.String())
	}
	return text.String()
}
