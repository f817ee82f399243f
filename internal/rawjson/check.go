package rawjson

import "strings"

// checker reads a text once, to find whether it is JSON (https://www.rfc-editor.org/rfc/rfc8259#section-2) that nests no deeper
// than MaxDepth, and where the elements of a list are. The library has no limit of depth, and tells neither: with it, an
// answer was read four times, which took a fifth of the time of a large one.
type checker string

// check returns ErrNotJSON or ErrTooDeep, whichever comes first in the text.
func (c checker) check() error {
	end, err := c.value(c.space(0), 0)
	return c.whole(end, err)
}

// whole returns the error of a value, or that of anything but spaces behind its end.
func (c checker) whole(end int, err error) error {
	if err == nil && c.space(end) < len(c) {
		return ErrNotJSON
	}
	return err
}

// page is check for an answer with a list: it returns the elements of the list and the link to the next page as well.
func (c checker) page() (items []Value, next Value, err error) {
	begin := c.space(0)
	if c.at(begin) != '{' {
		return nil, "", c.check()
	}
	known := false // of a key that comes twice the first value counts
	item := func(_ checker, i int) (int, error) {
		end, err := c.value(i, 2)
		if err == nil {
			items = append(items, Value(c[i:end]))
		}
		return end, err
	}
	end, err := c.members(begin, 1, '}', func(key checker, i int) (int, error) {
		if key == `"value"` && !known {
			known = true
			if c.at(i) == '[' {
				items = []Value{}
				return c.members(i, 2, ']', item)
			}
		}
		end, err := c.value(i, 1)
		if err == nil && key == `"@odata.nextLink"` && next == "" {
			next = Value(c[i:end])
		}
		return end, err
	})
	return items, next, c.whole(end, err)
}

// at returns the byte at a position, and 0, which begins nothing, behind the end.
func (c checker) at(i int) byte {
	if i < len(c) {
		return c[i]
	}
	return 0
}

// space returns the position of the first byte at or behind i that is not a space.
func (c checker) space(i int) int {
	for b := c.at(i); b == ' ' || b == '\n' || b == '\r' || b == '\t'; b = c.at(i) {
		i++
	}
	return i
}

// value returns the end of the value that begins at i, inside of depth objects and lists. So do the methods for each kind.
func (c checker) value(i, depth int) (int, error) {
	switch c.at(i) {
	case '"':
		return c.text(i)
	case '{':
		return c.members(i, depth+1, '}', nil)
	case '[':
		return c.members(i, depth+1, ']', nil)
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

// members returns the end of the object or list that begins at i and ends with a bracket. read, when set, takes the place of
// value for its members, whose keys it is given with their quotes; those of a list have none.
func (c checker) members(i, depth int, last byte, read func(key checker, i int) (int, error)) (int, error) {
	if depth > MaxDepth {
		return 0, ErrTooDeep
	}
	if i = c.space(i + 1); c.at(i) == last {
		return i + 1, nil
	}
	for {
		var key checker
		var err error
		if last == '}' {
			begin := i
			if i, err = c.text(i); err != nil {
				return 0, err
			}
			key = c[begin:i]
			if i = c.space(i); c.at(i) != ':' {
				return 0, ErrNotJSON
			}
			i = c.space(i + 1)
		}
		if read == nil {
			i, err = c.value(i, depth)
		} else {
			i, err = read(key, i)
		}
		if err != nil {
			return 0, err
		}
		switch i = c.space(i); c.at(i) {
		case last:
			return i + 1, nil
		case ',':
			i = c.space(i + 1)
		default:
			return 0, ErrNotJSON
		}
	}
}

func (c checker) text(i int) (int, error) {
	if c.at(i) != '"' {
		return 0, ErrNotJSON
	}
	for i++; i < len(c); i++ {
		switch b := c[i]; {
		case b > '\\', b > '"' && b < '\\': // most of all bytes
		case b == '"':
			return i + 1, nil
		case b < ' ':
			return 0, ErrNotJSON
		case b == '\\':
			i++
			if c.at(i) == 'u' && i+4 < len(c) && strings.Trim(string(c[i+1:i+5]), "0123456789abcdefABCDEF") == "" {
				i += 4
			} else if strings.IndexByte(`"\/bfnrt`, c.at(i)) < 0 {
				return 0, ErrNotJSON
			}
		}
	}
	return 0, ErrNotJSON
}

func (c checker) word(i int, word string) (int, error) {
	if !strings.HasPrefix(string(c[i:]), word) {
		return 0, ErrNotJSON
	}
	return i + len(word), nil
}

func (c checker) number(i int) (int, error) {
	if c.at(i) == '-' {
		i++
	}
	whole := i
	if i = c.digits(i); i == whole || c[whole] == '0' && i > whole+1 {
		return 0, ErrNotJSON
	}
	if c.at(i) == '.' {
		fraction := i + 1
		if i = c.digits(fraction); i == fraction {
			return 0, ErrNotJSON
		}
	}
	if b := c.at(i); b == 'e' || b == 'E' {
		if b = c.at(i + 1); b == '+' || b == '-' {
			i++
		}
		exponent := i + 1
		if i = c.digits(exponent); i == exponent {
			return 0, ErrNotJSON
		}
	}
	return i, nil
}

// digits returns the end of the digits at i.
func (c checker) digits(i int) int {
	for b := c.at(i); '0' <= b && b <= '9'; b = c.at(i) {
		i++
	}
	return i
}

// skip returns the end of the value that begins at i, in a text that was checked.
func (c checker) skip(i int) int {
	switch c.at(i) {
	case '"':
		return c.skipText(i)
	case '{', '[':
		for depth := 0; i < len(c); i++ {
			switch c[i] {
			case '"':
				i = c.skipText(i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(c) && strings.IndexByte(",}] \n\r\t", c[i]) < 0 {
		i++
	}
	return i
}

// skipText returns the end of the text that begins at i, in a text that was checked.
func (c checker) skipText(i int) int {
	for i++; i < len(c) && c[i] != '"'; i++ {
		if c[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(c))
}
