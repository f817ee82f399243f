package defender

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"xsoar-defender/internal/rawjson"
)

// Everything is the maximum number of items that are read of a list without a limit.
const Everything = 10_000

// List is the wanted part of a list of the service.
type List struct {
	Items []rawjson.Value
	// Whole is the answer as received. It is empty if the list took several pages: joined they would be in memory twice.
	Whole rawjson.Value
	// More reports whether the service has more than the limit or, if it does not say, whether the last page was full.
	More bool
	// Lost reports whether the link to a next page had lost the options of the query, so that it was not followed.
	Lost bool
	// Repeated reports whether an item was on several pages, so that another one may be on none. Only lists of incidents know it.
	Repeated bool
	// Limited reports whether the query had a limit, and Skipped is how many items it skipped.
	Limited bool
	Skipped int
}

// Joined is the answer as received, or one object with the items of all pages under "value".
func (l List) Joined() rawjson.Value {
	if l.Whole != "" {
		return l.Whole
	}
	return `{"value":` + rawjson.Join(l.Items) + `}`
}

// list reads as many pages as the limit of the query needs.
func (c *Client) list(ctx context.Context, operation Operation, q Query, args ...string) (List, error) {
	reader := pageReader{client: c, request: request{operation: operation, args: args, query: q}, limit: q.Limit, start: q.Skip, seen: map[string]bool{}}
	if q.Limit == 0 {
		reader.limit = Everything
	}
	found, err := reader.read(ctx)
	found.Limited, found.Skipped = q.Limit > 0, q.Skip
	return found, err
}

// pageReader follows the @odata.nextLink of the service if it leads to the same host and asks for the same items, and
// continues with $skip without one. It ends at a page that is empty or begins like an earlier one, whatever the service
// says: links that repeat forever have been seen, and links that lost the names of their options.
type pageReader struct {
	client       *Client
	request      request
	limit, start int
	seen         map[string]bool
	size         int64 // of all pages, in bytes
	result       List
}

func (p *pageReader) read(ctx context.Context) (List, error) {
	for pages := 1; ; pages++ {
		items, link, err := p.page(ctx)
		if err != nil {
			return List{}, err
		}
		repeated := len(items) > 0 && p.seen[string(items[0])]
		if len(items) > 0 && !repeated {
			p.seen[string(items[0])] = true
			p.result.Items = append(p.result.Items, items...)
		}
		if link != "" && !p.request.query.keptBy(link) {
			p.result.Lost = p.result.Lost || leadsOn(link, p.start+len(p.result.Items))
			link = ""
		}
		full := p.request.query.top > 0 && len(items) >= p.request.query.top
		p.result.More = (link != "" || full) && !repeated
		if len(p.result.Items) > p.limit {
			p.result.Items, p.result.More = p.result.Items[:p.limit], true
		}
		if len(items) == 0 || !p.result.More || len(p.result.Items) >= p.limit || !p.advance(link) {
			if pages > 1 {
				p.result.Whole = ""
			}
			return p.result, nil
		}
		if progress := p.client.options.Progress; progress != nil {
			progress.Listed(p.request.operation.Purpose, len(p.result.Items), p.limit, pages)
		}
	}
}

func (p *pageReader) page(ctx context.Context) ([]rawjson.Value, string, error) {
	if largest := p.request.operation.LargestPage; largest > 0 && p.request.query.Limit > 0 {
		p.request.query.top = min(p.limit-len(p.result.Items), largest)
	}
	answer, err := p.client.answer(ctx, p.request)
	if err != nil {
		return nil, "", err
	}
	p.size += int64(len(answer.Whole))
	if most := p.client.most(p.size); p.size > most {
		return nil, "", &TooLargeError{Operation: p.request.operation, Status: http.StatusOK, Most: most}
	}
	if p.result.Whole == "" {
		p.result.Whole = answer.Whole
	}
	if answer.Items == nil {
		return nil, "", lacks(p.request.operation, "without the list that it must have", answer.Whole)
	}
	// Links with plain spaces have been seen, which no request may hold.
	return answer.Items, strings.ReplaceAll(answer.Next, " ", "%20"), nil
}

// advance prepares the next page; false means that there is no way to ask for it.
func (p *pageReader) advance(link string) bool {
	if link != "" && !p.seen[link] && p.client.ours(p.request.operation, link) {
		p.seen[link] = true
		p.request.link = link
		return true
	}
	p.request.link = ""
	p.request.query.Skip = p.start + len(p.result.Items)
	return p.request.query.top > 0
}

// leadsOn reports whether a link is to items behind the first count ones, and not beyond the end of the list: the service was
// seen to offer a page of numbers 10,001 and up after a single item.
func leadsOn(link string, count int) bool {
	target, err := url.Parse(link)
	if err != nil {
		return false
	}
	options := target.Query()
	skip, err := strconv.Atoi(options.Get("$skip"))
	return err == nil && skip <= count || options.Get("$skiptoken") != ""
}

// ours reports whether a link leads to the API of the operation itself: the same scheme, host and port.
func (c *Client) ours(operation Operation, link string) bool {
	base := c.options.API
	if operation.Graph {
		base = c.options.Graph
	}
	target, err := url.Parse(link)
	return err == nil && target.User == nil && target.Scheme == base.Scheme && strings.EqualFold(target.Host, base.Host)
}
