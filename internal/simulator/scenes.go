package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// scene is something that unfolds over time. Its steps are carried out when the tenant is asked for something after their time
// has come, each as of its own time.
type scene struct {
	name, description string
	steps             []sceneStep
}

type sceneStep struct {
	after time.Duration
	what  string
	do    func(c *company, r *runningScene, when time.Time)
}

// runningScene is a scene in progress.
type runningScene struct {
	scene
	started time.Time
	speed   float64
	done    int
	draws   source
	victims []*machine
	alerts  []*alert
}

// Scenes returns the names of the scenes and what happens in each.
func Scenes() map[string]string {
	all := map[string]string{}
	for _, s := range scenes() {
		all[s.name] = s.description
	}
	return all
}

func scenes() []scene {
	return []scene{
		{
			"ransomware-day",
			"A document brings an implant; the attack spreads to five machines, deletes backups, and is stopped. Two incidents become one.",
			[]sceneStep{
				{0, "a document starts PowerShell", alarm(0, "Suspicious PowerShell command line")},
				{20 * time.Minute, "the implant calls home", alarm(0, "Connection to a command and control server")},
				{2 * time.Hour, "credentials are read", alarm(0, "Memory of LSASS was read")},
				{3 * time.Hour, "a second machine is reached", alarm(1, "Remote execution on another machine")},
				{4 * time.Hour, "a task is planted there", alarm(1, "Unusual scheduled task")},
				{5 * time.Hour, "three more machines are reached", func(c *company, r *runningScene, when time.Time) {
					for n := 2; n < 5; n++ {
						alarm(n, "Remote execution on another machine")(c, r, when)
					}
				}},
				{6 * time.Hour, "an analyst takes the alerts", func(_ *company, r *runningScene, when time.Time) {
					for _, a := range r.alerts {
						a.Status, a.AssignedTo, a.LastUpdateTime = "InProgress", optional("soc@"+domain), at(when)
					}
				}},
				{6*time.Hour + 10*time.Minute, "the first machine is isolated", act(0, "Isolate")},
				{7 * time.Hour, "backups are deleted on four machines", func(c *company, r *runningScene, when time.Time) {
					for n := 1; n < 5; n++ {
						alarm(n, "Volume shadow copies were deleted")(c, r, when)
					}
				}},
				{7*time.Hour + 5*time.Minute, "the other machines are isolated", func(c *company, r *runningScene, when time.Time) {
					for n := 1; n < 5; n++ {
						act(n, "Isolate")(c, r, when)
					}
				}},
				{8 * time.Hour, "the incidents are merged", merge},
				{9 * time.Hour, "all machines are scanned", func(c *company, r *runningScene, when time.Time) {
					for n := range 5 {
						act(n, "RunAntiVirusScan")(c, r, when)
					}
				}},
				{20 * time.Hour, "the alerts are resolved", func(_ *company, r *runningScene, when time.Time) {
					for _, a := range r.alerts {
						a.Status, a.Classification, a.Determination = "Resolved", "TruePositive", "MultiStagedAttack"
						a.ResolvedTime, a.LastUpdateTime = at(when), at(when)
					}
				}},
				{24 * time.Hour, "the machines are released", func(c *company, r *runningScene, when time.Time) {
					for n := range 5 {
						act(n, "Unisolate")(c, r, when)
					}
				}},
			},
		},
		{
			"phishing-wave",
			"Every ten minutes for two hours somebody else opens a page that imitates the company's sign-in.",
			slices.Repeat([]sceneStep{{0, "somebody opens the page", func(c *company, r *runningScene, when time.Time) {
				alarm(r.done, "Sign-in page that imitates the company")(c, r, when)
			}}}, 12),
		},
	}
}

// alarm raises an alert of a title on the nth victim.
func alarm(victim int, title string) func(*company, *runningScene, time.Time) {
	return func(c *company, r *runningScene, when time.Time) {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.title == title })
		r.alerts = append(r.alerts, c.raiseOn(r.victims[victim%len(r.victims)], scenarios[i], when))
	}
}

// act starts a machine action on the nth victim, as the company's analysts do in the portal.
func act(victim int, kind string) func(*company, *runningScene, time.Time) {
	return func(c *company, r *runningScene, when time.Time) {
		a := c.newAction(kind, r.victims[victim], "soc@"+domain, "Scene "+r.name, when)
		a.RequestSource = "Portal"
		switch kind {
		case "Isolate":
			a.Scope = "Full"
		case "RunAntiVirusScan":
			a.Scope = "Quick"
		}
	}
}

// merge puts all alerts of the scene in the incident of the first one.
func merge(c *company, r *runningScene, when time.Time) {
	c.gatherIncidents()
	target := c.incidentIndex[strconv.FormatInt(r.alerts[0].IncidentID, 10)]
	for _, a := range r.alerts {
		one := c.incidentIndex[strconv.FormatInt(a.IncidentID, 10)]
		if target != nil && one != nil && one != target {
			c.mergeInto(target, one, when)
		}
		a.LastUpdateTime = at(when)
	}
}

// StartScene begins a scene at a speed: with 60, an hour of the scene passes in a minute. The error says if there is no such scene.
func (t *Tenant) StartScene(name string, speed float64) error {
	i := slices.IndexFunc(scenes(), func(s scene) bool { return s.name == name })
	if i < 0 || speed <= 0 {
		return fmt.Errorf("simulator: there is no scene %q at the speed %v", name, speed)
	}
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.populate()
	now := c.now().UTC().Truncate(tick)
	r := &runningScene{scene: scenes()[i], started: now, speed: speed, draws: newSource(c.seed, fmt.Sprint("scene ", name, len(c.scenes)))}
	if name == "phishing-wave" {
		for n := range r.steps {
			r.steps[n].after = time.Duration(n) * 10 * time.Minute
		}
	}
	active := where(c.machines, func(m *machine) bool { return m.HealthStatus == "Active" && m.isWindows() })
	r.victims = some(r.draws, active, 12)
	c.scenes = append(c.scenes, r)
	c.keep(stateLine{At: now, Do: "scene", Name: name, Speed: speed})
	return nil
}

// unfold carries out the steps whose time has come.
func (c *company) unfold(now time.Time) {
	for _, r := range c.scenes {
		for r.done < len(r.steps) {
			step := r.steps[r.done]
			when := r.started.Add(time.Duration(float64(step.after) / r.speed)).Truncate(tick)
			if when.After(now) {
				break
			}
			step.do(c, r, when)
			r.done++
		}
	}
}
