package rawjson

import "strings"

// Shape remembers how an object was written, except for its values: the objects of a list mostly have the same keys in the same
// order, and to compare the text between two values takes half the time of reading it. The zero Shape is ready for use; a nil
// one remembers nothing.
type Shape struct{ leads []lead }

// lead is the text before a value of an object: a bracket or a comma, the key with its quotes, and a colon. At the end of the
// object it is the bracket, and has no key.
type lead struct{ text, key source }

// mostShaped is how many keys of an object are remembered.
const mostShaped = 64

// lead returns the text at i, before the value with this number, from 0, and whether it is the same as in the object before.
func (s *Shape) lead(from source, number, i int) (found lead, same bool, err error) {
	if s != nil && number < len(s.leads) && strings.HasPrefix(string(from[i:]), string(s.leads[number].text)) {
		return s.leads[number], true, nil
	}
	found, err = from.lead(number, i)
	switch {
	case err != nil || s == nil:
	case number < len(s.leads):
		s.leads[number] = found
	case number < mostShaped:
		s.leads = append(s.leads, found)
	}
	return found, false, err
}

func (s source) lead(number, i int) (lead, error) {
	begin := i
	i = s.space(i)
	switch b := s.at(i); {
	case b == '}' && number > 0:
		return lead{text: s[begin : i+1]}, nil
	case b != ',' && number > 0:
		return lead{}, ErrNotJSON
	}
	key := s.space(i + 1)
	if number == 0 && s.at(key) == '}' {
		return lead{text: s[begin : key+1]}, nil
	}
	end, err := s.text(key)
	if err != nil {
		return lead{}, err
	}
	if i = s.space(end); s.at(i) != ':' {
		return lead{}, ErrNotJSON
	}
	return lead{text: s[begin:s.space(i+1)], key: s[key:end]}, nil
}

// Member is a key of an object with its value, as they were received.
type Member struct {
	// Number is its place in the object, from 0.
	Number int
	// Key has its quotes, and may have escapes.
	Key, Value Value
	// Same reports whether the object before had this key here, written in the same way.
	Same bool
}

// Members goes over an object. It relies on the check that every Value has passed, and takes less than half the time of the
// library, which reads each value as it passes.
func (s *Shape) Members(object Value, visit func(Member)) {
	from := source(object)
	i := from.space(0)
	if from.at(i) != '{' {
		return
	}
	for number := 0; ; number++ {
		next, same, err := s.lead(from, number, i)
		if err != nil || next.key == "" {
			return
		}
		value := from.space(i + len(next.text))
		i = from.skip(value)
		visit(Member{Number: number, Key: Value(next.key), Value: Value(from[value:i]), Same: same})
	}
}
