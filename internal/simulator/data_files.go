package simulator

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"
)

// publisher is who signs files.
type publisher struct{ name, issuer string }

var (
	microsoft = publisher{"Microsoft Corporation", "Microsoft Code Signing PCA 2011"}
	google    = publisher{"Google LLC", "DigiCert Trusted G4 Code Signing RSA4096 SHA384 2021 CA1"}
	nobody    = publisher{}
)

var (
	onWindows = []string{"Windows11", "Windows10", "WindowsServer2022", "WindowsServer2019"}
	onLinux   = []string{"Linux"}
	onMac     = []string{"macOS"}
)

// knownFiles are the files that were seen in the company. spread is on how many of the fitting machines: 0 is all,
// and -1 is only where an alert says so.
var knownFiles = []struct {
	name, folder, product string
	publisher             publisher
	size                  int64
	platforms             []string
	spread                int
	kind, threat          string // determination
}{
	{"cmd.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 289792, onWindows, 0, "Clean", ""},
	{"powershell.exe", `C:\Windows\System32\WindowsPowerShell\v1.0`, "Microsoft Windows Operating System", microsoft, 450560, onWindows, 0, "Clean", ""},
	{"explorer.exe", `C:\Windows`, "Microsoft Windows Operating System", microsoft, 5212184, onWindows, 0, "Clean", ""},
	{"svchost.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 79920, onWindows, 0, "Clean", ""},
	{"services.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 731664, onWindows, 0, "Clean", ""},
	{"lsass.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 84496, onWindows, 0, "Clean", ""},
	{"rundll32.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 71680, onWindows, 0, "Clean", ""},
	{"reg.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 77312, onWindows, 0, "Clean", ""},
	{"schtasks.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 235008, onWindows, 0, "Clean", ""},
	{"sc.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 72192, onWindows, 0, "Clean", ""},
	{"net1.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 178688, onWindows, 0, "Clean", ""},
	{"netsh.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 96768, onWindows, 0, "Clean", ""},
	{"wevtutil.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 293888, onWindows, 0, "Clean", ""},
	{"vssadmin.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 145920, onWindows, 0, "Clean", ""},
	{"fodhelper.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 49664, onWindows, 0, "Clean", ""},
	{"mstsc.exe", `C:\Windows\System32`, "Microsoft Windows Operating System", microsoft, 1626112, onWindows, 0, "Clean", ""},
	{"MsMpEng.exe", `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.26080.2-0`, "Microsoft Windows Operating System", microsoft, 143632, onWindows, 0, "Clean", ""},
	{"winword.exe", `C:\Program Files\Microsoft Office\root\Office16`, "Microsoft Office", microsoft, 1624688, onWindows, 18, "Clean", ""},
	{"outlook.exe", `C:\Program Files\Microsoft Office\root\Office16`, "Microsoft Office", microsoft, 42373768, onWindows, 18, "Clean", ""},
	{"msedge.exe", `C:\Program Files (x86)\Microsoft\Edge\Application`, "Microsoft Edge", microsoft, 4286024, onWindows, 0, "Clean", ""},
	{"chrome.exe", `C:\Program Files\Google\Chrome\Application`, "Google Chrome", google, 3131992, onWindows, 12, "Clean", ""},
	{"7z.exe", `C:\Program Files\7-Zip`, "7-Zip", nobody, 563712, onWindows, 9, "Unknown", ""},
	{"putty.exe", `C:\Program Files\PuTTY`, "PuTTY suite", publisher{"Simon Tatham", "Sectigo Public Code Signing CA R36"}, 1663264, onWindows, 6, "Clean", ""},
	{"procdump64.exe", `C:\Tools`, "ProcDump", microsoft, 424856, onWindows, 2, "Clean", ""},
	{"PsExec64.exe", `C:\Tools`, "Sysinternals PsExec", microsoft, 833472, onWindows, 3, "Clean", ""},
	{"bash", "/usr/bin", "", nobody, 1446024, onLinux, 0, "Unknown", ""},
	{"curl", "/usr/bin", "", nobody, 256640, onLinux, 0, "Unknown", ""},
	{"sshd", "/usr/sbin", "", nobody, 921416, onLinux, 0, "Unknown", ""},
	{"zsh", "/bin", "", publisher{"Software Signing", "Apple Code Signing Certification Authority"}, 1361200, onMac, 0, "Clean", ""},
	{"osascript", "/usr/bin", "", publisher{"Software Signing", "Apple Code Signing Certification Authority"}, 202480, onMac, 0, "Clean", ""},
	{"invoice_8841.docm", `C:\Users\Public\Downloads`, "", nobody, 88576, onWindows, -1, "Malware", "TrojanDownloader:O97M/Obfuse.XP!MTB"},
	{"updater_helper.exe", `C:\ProgramData\UpdateHelper`, "", nobody, 1187328, onWindows, -1, "Malware", "Trojan:Win64/Beacon.C!dha"},
	{"mimi.dll", `C:\Windows\Temp`, "", nobody, 1355680, onWindows, -1, "Malware", "HackTool:Win64/Mikatz!dha"},
	{"lockdata.exe", `C:\Users\Public`, "", nobody, 614912, onWindows, -1, "Malware", "Ransom:Win64/LockData.A"},
	{"pdfconvert_setup.exe", `C:\Users\Public\Downloads`, "PDF Convert Free", publisher{"Bright Tools Ltd", "Sectigo Public Code Signing CA R36"}, 22139496, onWindows, -1, "Pua", "PUA:Win32/FusionCore"},
	{"kworkerd", "/var/tmp/.x", "", nobody, 6291456, onLinux, -1, "Malware", "Trojan:Linux/CoinMiner.K"},
	{"AppSync", "/Users/Shared", "", nobody, 2097152, onMac, -1, "Malware", "Trojan:MacOS/Sync.B"},
	{"eicar.com", `C:\Users\Public\Downloads`, "", nobody, 68, onWindows, -1, "Malware", "Virus:DOS/EICAR_Test_File"},
}

// sighting is a file on a machine.
type sighting struct {
	file        *file
	machine     *machine
	first, last time.Time
}

// store puts the files on the machines.
func (c *company) store() {
	for i, k := range knownFiles {
		f := &file{
			GlobalPrevalence:    c.draws.Int64N(4_000_000) + 900,
			GlobalFirstObserved: at(c.started.Add(-400*day - c.draws.span(2000*day))),
			GlobalLastObserved:  at(c.started.Add(-c.draws.span(10 * time.Hour))),
			Size:                k.size,
			FilePublisher:       optional(k.publisher.name),
			FileProductName:     optional(k.product),
			Signer:              optional(k.publisher.name),
			Issuer:              optional(k.publisher.issuer),
			DeterminationType:   k.kind,
			DeterminationValue:  optional(k.threat),
			name:                k.name, folder: k.folder, platforms: k.platforms,
		}
		f.hash(fmt.Sprintf("%d %s", c.seed, k.name))
		if strings.HasSuffix(k.name, ".exe") || strings.HasSuffix(k.name, ".dll") {
			f.FileType, f.IsPEFile = "PortableExecutable", true
		}
		if k.publisher != nobody {
			f.SignerHash, f.IsValidCertificate = optional(digest(sha1.New(), k.publisher.name)), new(true)
		}
		if k.spread < 0 {
			f.GlobalPrevalence = c.draws.Int64N(400) + 3
			f.GlobalFirstObserved = at(c.started.Add(-15*day - c.draws.span(30*day)))
		}
		c.files = append(c.files, f)
		c.spread(f, knownFiles[i].spread)
	}
}

// hash sets the hashes of the file to those of a text that stands for its content.
func (f *file) hash(text string) {
	f.SHA1, f.SHA256, f.MD5 = digest(sha1.New(), text), digest(sha256.New(), text), digest(md5.New(), text)
}

func digest(h hash.Hash, text string) string {
	// A hash never fails to take what is written to it.
	_, _ = io.WriteString(h, text)
	return hex.EncodeToString(h.Sum(nil))
}

// spread puts a file on as many of the machines it runs on; 0 is all of them.
func (c *company) spread(f *file, count int) {
	if count < 0 {
		return
	}
	fitting := where(c.machines, func(m *machine) bool { return slices.Contains(f.platforms, m.OSPlatform) })
	for _, m := range some(c.draws, fitting, count) {
		c.sawFile(f, m, m.FirstSeen.Time, m.LastSeen.Time)
	}
}

// sawFile records that a file was on a machine during that time.
func (c *company) sawFile(f *file, m *machine, first, last time.Time) {
	for i := range c.sightings {
		s := &c.sightings[i]
		if s.file != f || s.machine != m {
			continue
		}
		if first.Before(s.first) {
			s.first = first
		}
		if last.After(s.last) {
			s.last = last
		}
		return
	}
	c.sightings = append(c.sightings, sighting{f, m, first, last})
}

// fileNamed finds one of the known files by its name.
func (c *company) fileNamed(name string) *file {
	i := slices.IndexFunc(c.files, func(f *file) bool { return f.name == name })
	if i < 0 {
		panic("simulator: the data names a file that is not in knownFiles: " + name)
	}
	return c.files[i]
}

// destination is something on the network that the company's machines talk to.
type destination struct {
	host, ip string
	port     int
	process  string // that connects to it on Windows
	spread   int    // on how many machines; 0 is all
}

var destinations = []destination{
	{"intranet." + domain, "10.20.2.31", 443, "msedge.exe", 0},
	{"mail." + domain, "10.20.2.35", 443, "outlook.exe", 20},
	{"fs-01." + domain, "10.20.2.32", 445, "explorer.exe", 14},
	{"rds-01." + domain, "10.20.2.34", 3389, "mstsc.exe", 5},
	{"updates.software.example", "198.51.100.20", 443, "svchost.exe", 0},
	{"cdn.search.example", "198.51.100.33", 443, "msedge.exe", 26},
	{"news.daily.example", "198.51.100.71", 443, "chrome.exe", 11},
	{"packages.linux.example", "198.51.100.90", 443, "svchost.exe", 8},
	{"share.files.example", "203.0.113.88", 443, "msedge.exe", 6},
}

// The hosts that only alerts lead to.
const (
	controlHost  = "cdn-telemetry.badhost.example"
	controlIP    = "203.0.113.66"
	phishingHost = "login-contoso.phish.example"
	phishingIP   = "203.0.113.77"
	miningHost   = "pool.coins.example"
	miningIP     = "198.51.100.177"
	payloadHost  = "files.dropzone.example"
	payloadIP    = "203.0.113.99"
)

// connection is one connection to a destination.
type connection struct {
	machine *machine
	host    string
	ip      string
	port    int
	process string
	time    time.Time
}

// connect lets the machines talk to the usual destinations.
func (c *company) connect() {
	for _, d := range destinations {
		reporting := where(c.machines, func(m *machine) bool { return m.OnboardingStatus == "Onboarded" })
		for _, m := range some(c.draws, reporting, d.spread) {
			process := m.client(d.process)
			for range 1 + c.draws.IntN(3) {
				when := m.LastSeen.Add(-c.draws.span(25 * day))
				c.connections = append(c.connections, connection{m, d.host, d.ip, d.port, process, when})
			}
		}
	}
}

// client is the program that connects from the machine; onWindows is the one if it runs Windows.
func (m *machine) client(onWindows string) string {
	switch m.OSPlatform {
	case ubuntu.platform:
		return "curl"
	case macOS.platform:
		return "zsh"
	}
	return onWindows
}
