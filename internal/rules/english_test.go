package rules_test

import (
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/internal/repository"
)

// phrase is a pattern of words that read as if translated, with what to write instead.
type phrase struct {
	found   *regexp.Regexp
	instead string
	// words are of which a line must hold one to be looked at closer, so that the search is fast.
	words []string
	// begins reports whether the phrase is one that begins a comment.
	begins bool
}

// phrases are the patterns that a search can find. Those that begin a doc comment are looked for only there.
func phrases() []phrase {
	var all []phrase
	for found, instead := range map[string]string{
		// Comments.
		`^\s*// [\w, ]+ (say|tell)s? whether\b`:     "X reports whether …",
		`^\s*// \w+ gives\b`:                        "X returns …",
		`\band gives (the|an?|its?|what|how)\b`:     "and returns …",
		`\bgives an? \*\w+Error\b`:                  "returns a *SomeError",
		`^\s*// \w+ (is|are|was|were) what\b`:       "name the thing, or say what it does",
		`\blook(s|ed)? (whether|if)\b`:              "check whether",
		`^\s*// \w+ tells (which|how|where|that)\b`: "X returns, or reports …",
		`\btells? of\b`:                             "report, or show",
		`\bonce more\b`:                             "again",
		`\b(is|are|was) not there\b`:                "is missing, or does not exist",
		`\b(that|which|what) (is|are) no [a-z]+\b`:  "is not a …",
		`\bgood for (one|two|ten|an?)\b`:            "works in one, or is valid for ten",
		`\bin vain\b|\bhence\b|\blikewise\b`:        "say it plainly",
		`\b(there )?(is|are|was|were|it) none\b`:    "is not a …, has none, or 0 if there is none",
		`\bstands? (for|still|up)\b|\bstands?\b`:    "is, or see",
		`\blies\b`:                                  "is, or see",
		`\bhas to\b`:                                "must",
		`\bin place of\b`:                           "instead of",
		`\banew\b`:                                  "again",
		`\bfor ever\b`:                              "forever",
		`\b[Ww]hoever\b`:                            "anyone who",
		`\b[Bb]eside\b`:                             "next to, or in addition to",
		`\bso many\b`:                               "the number's name",
		`\bof (before|old)\b|OfOld\b`:               "earlier, or retired",
		`\bhas \w+ be \w+ed\b`:                      "the verb itself",
		`\b[Ww]anted [^"]*,? got\b`:                 "got X, want Y",
		// Texts that users see.
		`\bat the most\b`:                       "at most, or the maximum number of",
		`\bto pass over\b|\bpass(es|ed) over\b`: "skip",
		`"No \w+( \w+)? fits\b`:                 "No X matches.",
		`\bdoes not take\b.*\bany more\b`:       "no longer accepts",
		`\bare not right\b`:                     "Invalid arguments for X: …",
		`\bcalled wrongly\b`:                    "Usage error",
		`\bwhat there is\b|\bthat there is not`: "name it",
		`help:"Makes an?\b|"Makes an?\b`:        "Creates a …",
		`\bgoes before\b`:                       "takes precedence",
		`\bbelongs? into\b`:                     "goes in",
		`\bis told (there|here)\b`:              "is described there",
		`\bthe one that works for you\b`:        "your production server",
		`\bonly a wish\b`:                       "has no effect until",
		`\bdoes not pass by itself\b`:           "Tests use a fake clock.",
		`\bWhy, for Microsoft`:                  "A comment for the action, shown in Microsoft's action center.",
		`\bof machines, fully qualified\b`:      "The fully qualified DNS names of the machines.",
	} {
		all = append(all, phrase{regexp.MustCompile(found), instead, wordsIn(found), strings.HasPrefix(found, "^")})
	}
	slices.SortFunc(all, func(a, b phrase) int { return strings.Compare(a.found.String(), b.found.String()) })
	return all
}

// wordsIn returns the words of a pattern of which every match holds one: for each of its alternatives the longest.
func wordsIn(pattern string) []string {
	var longest []string
	for alternative := range strings.SplitSeq(pattern, "|") {
		words := regexp.MustCompile(`[a-z]{3,}`).FindAllString(regexp.MustCompile(`\\.|\[[^]]*\]|.\?`).ReplaceAllString(alternative, " "), -1)
		if len(words) == 0 {
			return []string{""} // any line
		}
		longest = append(longest, slices.MaxFunc(words, func(a, b string) int { return len(a) - len(b) }))
	}
	return longest
}

// in returns the pattern's words in a line, or "" if the line has none.
func (p phrase) in(line string) string {
	if !slices.ContainsFunc(p.words, func(word string) bool { return strings.Contains(line, word) }) {
		return ""
	}
	for _, words := range p.found.FindAllString(line, -1) {
		// A value can stand for something, a clock can stand still, "if there is none" is as good as English gets, and what was
		// can be no longer.
		_, second, _ := strings.Cut(words, " ")
		if strings.HasSuffix(words, " no longer") || strings.HasPrefix(words, "stand") && second != "" || strings.HasPrefix(words, "there ") && strings.HasSuffix(words, "none") {
			continue
		}
		return words
	}
	return ""
}

// isProse reports whether people write a file's texts here: neither what is generated nor what tests read as data.
func isProse(name string) bool {
	switch {
	case strings.Contains(name, "testdata/"), strings.HasPrefix(name, "test_data/"):
		return false
	case name == "integration.yml", name == "docs/licences.md", name == "internal/rules/english_test.go":
		return false
	case strings.HasPrefix(name, ".ci/"), strings.HasPrefix(name, "container/"):
		return true
	}
	return slices.Contains([]string{".go", ".md", ".svg", ".yml"}, path.Ext(name)) || path.Base(name) == "Dockerfile" || path.Base(name) == "Makefile"
}

// TestTextsAreIdiomatic looks for words that read as if translated, in code, comments, help texts and documents.
func TestTextsAreIdiomatic(t *testing.T) {
	for _, name := range repository.Files(t) {
		if !isProse(name) {
			continue
		}
		text := string(repository.Read(t, name))
		if path.Ext(name) == ".go" {
			text = wordsOf(text)
		}
		number, before := 0, ""
		for line := range strings.Lines(text) {
			number++
			end, begin := seamOf(before, line)
			for _, phrase := range phrasesOnce {
				words := phrase.in(line)
				if words == "" && !phrase.begins && end != "" && phrase.in(end)+phrase.in(begin) == "" {
					words = phrase.in(end + " " + begin)
				}
				if words != "" {
					t.Errorf("%s:%d: got %q, want %s", name, number, strings.TrimSpace(words), phrase.instead)
				}
			}
			before = line
		}
	}
}

// seamOf returns the end of a line of prose and the beginning of the next, so that a phrase is found over the break. Both are
// empty where one of the lines is.
func seamOf(line, next string) (end, begin string) {
	const most = 3 // words of either
	last, first := strings.Fields(line), strings.Fields(strings.TrimLeft(next, " \t/#"))
	if len(last) == 0 || len(first) == 0 {
		return "", ""
	}
	return strings.Join(last[max(0, len(last)-most):], " "), strings.Join(first[:min(most, len(first))], " ")
}

var phrasesOnce = phrases()

// wordsOf returns the comments and the texts of a Go file, each in its line, without its names.
func wordsOf(source string) string {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(source))
	var reader scanner.Scanner
	reader.Init(file, []byte(source), nil, scanner.ScanComments)
	blank := []byte(source) // of as many bytes, whatever letters there are
	for i := range blank {
		if blank[i] != '\n' {
			blank[i] = ' '
		}
	}
	for {
		at, kind, text := reader.Scan()
		switch kind {
		case token.EOF:
			return string(blank)
		case token.COMMENT, token.STRING:
			copy(blank[file.Offset(at):], text)
		}
	}
}
