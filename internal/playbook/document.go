// Package playbook reads playbooks of the platform and says what they use of the integration that it does not serve:
// commands, arguments and context paths.
package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// What a file may hold at most. The largest playbooks of the platform stay far below; beyond, the parser, whose time
// grows with the square of the depth and of the entries of one mapping, would take minutes.
const (
	// MaxSize is the size of a file in bytes.
	MaxSize    = 4 << 20
	maxTokens  = 250_000
	maxDepth   = 100
	maxEntries = 1_000
	// maxNodes counts what an alias stands for at each place where it is.
	maxNodes = 1_000_000
)

// FormatError says why a file cannot be read as a playbook.
type FormatError struct {
	// Line is where; 0 when the whole file is meant.
	Line   int
	Reason string
	// Other reports whether the file can be read, and is something else than a playbook.
	Other bool
}

func (e *FormatError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

// node is a part of a document: a mapping, a list or a text. A null is the empty text, and what a document does not
// have is nil, of which every method returns nothing.
type node struct {
	line  int
	kind  kind
	text  string
	items []*node
	pairs []pair
}

type kind int

const (
	scalar kind = iota
	list
	mapping
)

type pair struct {
	key   string
	value *node
}

// get returns the value of the first of the keys that the mapping has. YAML of the platform spells its own keys in lower
// case, and JSON in camel case.
func (n *node) get(keys ...string) *node {
	if n == nil {
		return nil
	}
	for _, key := range keys {
		for _, one := range n.pairs {
			if strings.EqualFold(one.key, key) {
				return one.value
			}
		}
	}
	return nil
}

// word is the text of a scalar without the space around it.
func (n *node) word() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// parse reads a YAML document, of which JSON is a special case.
func parse(text []byte) (*node, error) {
	if len(text) > MaxSize {
		return nil, &FormatError{Reason: fmt.Sprintf("the file is larger than %d MiB, which is more than any playbook", MaxSize>>20)}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if at := invalid(text); at >= 0 {
		return nil, &FormatError{Line: 1 + bytes.Count(text[:at], []byte("\n")), Reason: "this is not text"}
	}
	tokens, err := tokenize(string(text))
	if err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	var documents []ast.Node
	for _, document := range file.Docs {
		if document.Body != nil {
			documents = append(documents, document.Body)
		}
	}
	switch len(documents) {
	case 0:
		return nil, &FormatError{Reason: "the file is empty"}
	case 1:
		return (&reader{anchors: map[string]anchored{}}).read(documents[0])
	}
	return nil, &FormatError{Line: lineOf(documents[1]), Reason: "a second document begins, but a playbook is a single one"}
}

// invalid returns where a file stops being text; -1 if all of it is.
func invalid(text []byte) int {
	if at := bytes.IndexByte(text, 0); at >= 0 {
		return at
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// syntaxError keeps of an error of the parser what is wrong and where: as a whole it shows the lines around.
func syntaxError(err error) error {
	type located interface {
		error
		GetMessage() string
		GetToken() *token.Token
	}
	if found, ok := errors.AsType[located](err); ok && found.GetToken() != nil {
		return &FormatError{Line: found.GetToken().Position.Line, Reason: "this is no YAML: " + found.GetMessage()}
	}
	return &FormatError{Reason: "this is no YAML"}
}

// tokenize takes a text apart, and stops where there are more parts, or they are deeper or wider, than may be. The
// library's lexer has no such bounds.
func tokenize(text string) (token.Tokens, error) {
	var (
		scan   scanner.Scanner
		tokens token.Tokens
		seen   shape
	)
	scan.Init(text)
	for more := true; more; {
		next, err := scan.Scan()
		tokens.Add(next...)
		more = err == nil // where the text does not end, the last token says what is wrong, which the parser reads
		if len(tokens) > maxTokens {
			return nil, &FormatError{Line: tokens[maxTokens].Position.Line, Reason: "up to here the file has more parts than any playbook"}
		}
		for _, one := range next {
			if err := seen.add(one); err != nil {
				return nil, err
			}
		}
	}
	return tokens, nil
}

// shape is how deep and how wide the tokens are that were seen.
type shape struct {
	levels []level
	line   int  // of the last token
	nests  bool // what follows the last token in its line can be a mapping or a list of its own
}

// level is a mapping or a list that is open.
type level struct {
	column  int // 0 in brackets and braces, where columns mean nothing
	entries int
}

func (s *shape) add(one *token.Token) error {
	line := one.Position.Line
	s.step(one, line != s.line || s.nests)
	s.line, s.nests = line, opensMore(one.Type)
	switch open := len(s.levels); {
	case open > maxDepth:
		return &FormatError{Line: line, Reason: fmt.Sprintf("this is nested more than %d deep", maxDepth)}
	case open > 0 && s.levels[open-1].entries > maxEntries:
		return &FormatError{Line: line, Reason: fmt.Sprintf("this has more than %d entries", maxEntries)}
	}
	return nil
}

// opensMore reports whether what follows a token in its line can be a mapping or a list of its own.
func opensMore(kind token.Type) bool {
	switch kind {
	case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
		return true
	}
	return false
}

// step opens and closes levels; first says that an entry of a block can begin with the token.
func (s *shape) step(one *token.Token, first bool) {
	inBrackets := len(s.levels) > 0 && s.top().column == 0
	switch one.Type {
	case token.SequenceStartType, token.MappingStartType:
		s.levels = append(s.levels, level{})
		return
	case token.SequenceEndType, token.MappingEndType:
		if inBrackets {
			s.levels = s.levels[:len(s.levels)-1]
			return
		}
	case token.CollectEntryType:
		if inBrackets {
			s.top().entries++
		}
	}
	if !first || inBrackets {
		return
	}
	column := one.Position.Column
	for len(s.levels) > 0 && s.top().column > column {
		s.levels = s.levels[:len(s.levels)-1]
	}
	if len(s.levels) == 0 || s.top().column < column {
		s.levels = append(s.levels, level{column: column})
	}
	s.top().entries++
}

func (s *shape) top() *level { return &s.levels[len(s.levels)-1] }

// reader turns what was parsed into nodes.
type reader struct {
	anchors map[string]anchored
	nodes   int
}

// anchored is the node that an alias stands for, and how many nodes are in it.
type anchored struct {
	*node

	size int
}

func (r *reader) read(from ast.Node) (*node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, &FormatError{Line: lineOf(from), Reason: "up to here the file expands to more than any playbook has"}
	}
	switch from := from.(type) {
	case *ast.MappingNode:
		return r.readPairs(from, from.Values)
	case *ast.MappingValueNode:
		return r.readPairs(from, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		return r.readItems(from)
	case *ast.TagNode:
		return r.read(from.Value)
	case *ast.MappingKeyNode:
		return r.read(from.Value)
	case *ast.AnchorNode:
		before := r.nodes
		value, err := r.read(from.Value)
		if err == nil {
			r.anchors[textOf(from.Name)] = anchored{value, r.nodes - before}
		}
		return value, err
	case *ast.AliasNode:
		target, known := r.anchors[textOf(from.Value)]
		if !known {
			return nil, &FormatError{Line: lineOf(from), Reason: "this alias refers to something that does not come before it"}
		}
		r.nodes += target.size
		return target.node, nil
	case *ast.MergeKeyNode:
		return nil, &FormatError{Line: lineOf(from), Reason: "this is a merge key, which playbooks do not have: write out its keys"}
	case *ast.NullNode, nil:
		return &node{line: lineOf(from)}, nil
	}
	return &node{line: lineOf(from), text: textOf(from)}, nil
}

func (r *reader) readPairs(of ast.Node, values []*ast.MappingValueNode) (*node, error) {
	whole := &node{line: lineOf(of), kind: mapping}
	for _, one := range values {
		key, err := r.read(one.Key)
		if err != nil {
			return nil, err
		}
		value, err := r.read(one.Value)
		if err != nil {
			return nil, err
		}
		if key.kind != scalar {
			return nil, &FormatError{Line: lineOf(one), Reason: "this key is not text"}
		}
		whole.pairs = append(whole.pairs, pair{key.text, value})
	}
	if len(whole.pairs) > 0 {
		whole.line = lineOf(values[0].Key)
	}
	return whole, nil
}

func (r *reader) readItems(of *ast.SequenceNode) (*node, error) {
	whole := &node{line: lineOf(of), kind: list}
	for _, one := range of.Values {
		item, err := r.read(one)
		if err != nil {
			return nil, err
		}
		whole.items = append(whole.items, item)
	}
	return whole, nil
}

// textOf is the text of a scalar as it is meant, without quotes and escapes.
func textOf(of ast.Node) string {
	switch of := of.(type) {
	case *ast.StringNode:
		return of.Value
	case *ast.LiteralNode:
		return of.Value.Value
	case nil:
		return ""
	}
	if its := of.GetToken(); its != nil {
		return its.Value
	}
	return ""
}

func lineOf(of ast.Node) int {
	if of == nil || of.GetToken() == nil || of.GetToken().Position == nil {
		return 0
	}
	return of.GetToken().Position.Line
}
