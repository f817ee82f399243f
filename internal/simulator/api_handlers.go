package simulator

// handler answers the request of an operation. The types after it name what handlers need of a request: the ones that name
// a machine, an alert and so on get it, and answer 404 if it does not exist; the ones with a body get its
// properties, and answer 400 if it is not an object. They are types and not functions that wrap one, so that the table of
// operations stays a constant.
type handler interface {
	run(c *company, call *call) (reply, *apiError)
}

type (
	plain          func(*company, *call) (reply, *apiError)
	withBody       func(*company, *call, fields) (reply, *apiError)
	onMachine      func(*company, *call, *machine) (reply, *apiError)
	changeMachine  func(*company, *call, *machine, fields) (reply, *apiError)
	onAlert        func(*company, *call, *alert) (reply, *apiError)
	changeAlert    func(*company, *call, *alert, fields) (reply, *apiError)
	onAction       func(*company, *call, *machineAction) (reply, *apiError)
	onIncident     func(*company, *call, *xdrIncident) (reply, *apiError)
	changeIncident func(*company, *call, *xdrIncident, fields) (reply, *apiError)
	onProduct      func(*company, *call, *product) (reply, *apiError)
	// onRecommendation gets the product that the recommendation is about.
	onRecommendation func(*company, *call, *product) (reply, *apiError)
)

func (h plain) run(c *company, asked *call) (reply, *apiError) { return h(c, asked) }

func (h withBody) run(c *company, asked *call) (reply, *apiError) {
	body, failure := asked.fields()
	if failure != nil {
		return reply{}, failure
	}
	return h(c, asked, body)
}

func (h onMachine) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).machineNamed, h)
}

func (h changeMachine) run(c *company, asked *call) (reply, *apiError) {
	return change(c, asked, (*company).machineNamed, h)
}

func (h onAlert) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).alertWith, h)
}

func (h changeAlert) run(c *company, asked *call) (reply, *apiError) {
	return change(c, asked, (*company).alertWith, h)
}

func (h onAction) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).actionWith, h)
}

func (h onIncident) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).incidentWith, h)
}

func (h changeIncident) run(c *company, asked *call) (reply, *apiError) {
	return change(c, asked, (*company).incidentWith, h)
}

func (h onProduct) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).productWith, h)
}

func (h onRecommendation) run(c *company, asked *call) (reply, *apiError) {
	return on(c, asked, (*company).recommended, h)
}

// starts is the kind of machine action that an operation starts.
type starts string

func (kind starts) run(c *company, asked *call) (reply, *apiError) {
	return change(c, asked, (*company).machineNamed, func(c *company, asked *call, m *machine, body fields) (reply, *apiError) {
		return c.startAction(string(kind), asked, m, body)
	})
}

// on finds the resource that the path names, for the handler to read.
func on[T any](c *company, asked *call, find func(*company, string) (T, *apiError), handle func(*company, *call, T) (reply, *apiError)) (reply, *apiError) {
	found, failure := find(c, asked.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return handle(c, asked, found)
}

// change finds the resource that the path names and reads the body, for the handler to change the one by the other.
func change[T any](c *company, asked *call, find func(*company, string) (T, *apiError), handle func(*company, *call, T, fields) (reply, *apiError)) (reply, *apiError) {
	return on(c, asked, find, func(c *company, asked *call, found T) (reply, *apiError) {
		body, failure := asked.fields()
		if failure != nil {
			return reply{}, failure
		}
		return handle(c, asked, found, body)
	})
}
