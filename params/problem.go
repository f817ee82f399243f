package params

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the configuration of an instance.
type Problem struct {
	Field string // the display name of the parameter, as the user sees it in the instance
	Fix   string // what to put there: one sentence that never holds a value of the configuration that may be secret
}

// String gives the display name and the fix in one line.
func (p Problem) String() string { return p.Field + ": " + p.Fix }

// Problems is the error of Decode: everything that is wrong with a configuration, in the order of the parameters.
type Problems struct{ List []Problem }

// Error lists every problem, one per line when there are several.
func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return "The configuration of the instance is not usable. " + p.List[0].String()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "The configuration of the instance is not usable, %d fields need a change:", len(p.List))
	for _, problem := range p.List {
		text.WriteString("\n- " + problem.String())
	}
	return text.String()
}
