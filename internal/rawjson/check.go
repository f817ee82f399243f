package rawjson

// checker reads a text once, to find whether it is JSON (https://www.rfc-editor.org/rfc/rfc8259#section-2) that nests no deeper
// than MaxDepth, and where the elements of a list are. The library has no limit of depth, and tells neither: with it, an
// answer was read four times, which took a fifth of the time of a large one.
type checker struct {
	source
	shapes []Shape // of the objects at each level; none for a small text
}

const (
	// leastShaped is the size of a text in bytes from which on shapes are worth remembering.
	leastShaped = 32 << 10
	// shapedLevels is more levels than the service nests objects.
	shapedLevels = 16
)

func newChecker(text string) *checker {
	c := &checker{source: source(text)}
	if len(text) >= leastShaped {
		c.shapes = make([]Shape, shapedLevels)
	}
	return c
}

// check returns ErrNotJSON or ErrTooDeep, whichever comes first in the text.
func (c *checker) check() error {
	end, err := c.value(c.space(0), 0)
	return c.whole(end, err)
}

// whole returns the error of a value, or that of anything but spaces behind its end.
func (c *checker) whole(end int, err error) error {
	if err == nil && c.space(end) < len(c.source) {
		return ErrNotJSON
	}
	return err
}

// page is check for an answer with a list: it returns the elements of the list and the link to the next page as well.
func (c *checker) page() (items []Value, next Value, err error) {
	begin := c.space(0)
	if c.at(begin) != '{' {
		return nil, "", c.check()
	}
	known := false // of a key that comes twice the first value counts
	item := func(i int) (int, error) {
		end, err := c.value(i, 2)
		if err == nil {
			items = append(items, Value(c.source[i:end]))
		}
		return end, err
	}
	end, err := c.object(begin, 1, func(key source, i int) (int, error) {
		if key == `"value"` && !known {
			known = true
			if c.at(i) == '[' {
				items = []Value{}
				return c.list(i, 2, item)
			}
		}
		end, err := c.value(i, 1)
		if err == nil && key == `"@odata.nextLink"` && next == "" {
			next = Value(c.source[i:end])
		}
		return end, err
	})
	return items, next, c.whole(end, err)
}

// value returns the end of the value that begins at i, inside of depth objects and lists.
func (c *checker) value(i, depth int) (int, error) {
	switch c.at(i) {
	case '"':
		return c.text(i)
	case '{':
		return c.object(i, depth+1, nil)
	case '[':
		return c.list(i, depth+1, nil)
	case 't':
		return c.word(i, "true")
	case 'f':
		return c.word(i, "false")
	case 'n':
		return c.word(i, "null")
	default:
		return c.number(i)
	}
}

// object returns the end of the object that begins at i. read, when set, takes the place of value for its members, whose keys
// it is given with their quotes.
func (c *checker) object(i, depth int, read func(key source, i int) (int, error)) (int, error) {
	if depth > MaxDepth {
		return 0, ErrTooDeep
	}
	var shape *Shape
	if depth < len(c.shapes) {
		shape = &c.shapes[depth]
	}
	for n := 0; ; n++ {
		next, _, err := shape.lead(c.source, n, i)
		if err != nil {
			return 0, err
		}
		if i += len(next.text); next.key == "" {
			return i, nil
		}
		i = c.space(i)
		if read == nil {
			i, err = c.value(i, depth)
		} else {
			i, err = read(next.key, i)
		}
		if err != nil {
			return 0, err
		}
	}
}

// list is object for a list.
func (c *checker) list(i, depth int, read func(i int) (int, error)) (int, error) {
	if depth > MaxDepth {
		return 0, ErrTooDeep
	}
	if i = c.space(i + 1); c.at(i) == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if read == nil {
			i, err = c.value(i, depth)
		} else {
			i, err = read(i)
		}
		if err != nil {
			return 0, err
		}
		switch i = c.space(i); c.at(i) {
		case ']':
			return i + 1, nil
		case ',':
			i = c.space(i + 1)
		default:
			return 0, ErrNotJSON
		}
	}
}
