package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// page is a Markdown page that is being written.
type page struct{ strings.Builder }

// line writes a paragraph.
func (p *page) line(format string, values ...any) { fmt.Fprintf(p, format+"\n\n", values...) }

// table writes a table, or nothing when it has no row.
func (p *page) table(header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.row(header)
	p.row(slices.Repeat([]string{"---"}, len(header)))
	for _, row := range rows {
		p.row(row)
	}
	p.WriteString("\n")
}

func (p *page) row(cells []string) {
	p.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// prose quotes a text that is no Markdown for a table or a paragraph.
func prose(text string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`").Replace(text)
}

// code shows a text as it is typed; an empty one stays empty.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.NewReplacer("\n", " ", "|", `\|`).Replace(text) + "`"
}

// codes shows a list of texts as they are typed.
func codes(texts []string, between string) string {
	shown := make([]string, len(texts))
	for i, text := range texts {
		shown[i] = code(text)
	}
	return strings.Join(shown, between)
}
