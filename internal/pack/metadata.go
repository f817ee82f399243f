package pack

import (
	"encoding/json"
	"fmt"
)

// The texts of the pack in the platform's marketplace.
const (
	packID      = "XsoarDefender"
	packName    = "Microsoft Defender for Endpoint (xsoar-defender)"
	description = "Investigate and respond with Microsoft Defender for Endpoint from the War Room: machines, alerts, hunting, " +
		"indicators and machine actions."
	author  = "xsoar-defender"
	support = "community" // nobody but its community supports it
	// serverMinVersion is the oldest version of the platform that packs can be uploaded to
	// (content_graph/objects/pack.py of demisto-sdk, MINIMAL_UPLOAD_SUPPORTED_VERSION).
	serverMinVersion = "6.5.0"
	// created is when the pack first came to be.
	created = "2026-11-24T00:00:00Z"
)

// repositoryMetadata is pack_metadata.json, with the keys of https://xsoar.pan.dev/docs/packs/packs-format in the order
// in which the packs of the platform's repository have them.
type repositoryMetadata struct {
	Name             string                `json:"name"`
	Description      string                `json:"description"`
	Support          string                `json:"support"`
	CurrentVersion   string                `json:"currentVersion"`
	ServerMinVersion string                `json:"serverMinVersion"`
	Author           string                `json:"author"`
	URL              string                `json:"url"`
	Email            string                `json:"email"`
	Created          string                `json:"created"`
	Categories       []string              `json:"categories"`
	Tags             []string              `json:"tags"`
	UseCases         []string              `json:"useCases"`
	Keywords         []string              `json:"keywords"`
	Marketplaces     []string              `json:"marketplaces"`
	Dependencies     map[string]dependency `json:"dependencies"`
	// ItemPrefix begins the names of incident fields (validator IF113 of demisto-sdk).
	ItemPrefix string `json:"itemPrefix"`
}

// dependency is a pack that another one needs.
type dependency struct {
	Mandatory   bool   `json:"mandatory"`
	DisplayName string `json:"display_name"`
}

// serverMetadata is metadata.json, which the platform reads on an upload (content_graph/objects/pack_metadata.py of
// demisto-sdk).
type serverMetadata struct {
	ID string `json:"id"`
	repositoryMetadata

	DisplayName     string                      `json:"display_name"`
	Updated         string                      `json:"updated"`
	Certification   string                      `json:"certification"`
	Hidden          bool                        `json:"hidden"`
	VersionInfo     string                      `json:"versionInfo"`
	ContentItems    map[string][]item           `json:"contentItems"`
	ContentDisplays map[string]string           `json:"contentDisplays"`
	Dependencies    map[string]serverDependency `json:"dependencies"`
	SupportDetails  map[string]string           `json:"supportDetails"`
}

type serverDependency struct {
	Mandatory     bool   `json:"mandatory"`
	MinVersion    string `json:"minVersion"`
	Author        string `json:"author"`
	Name          string `json:"name"`
	Certification string `json:"certification"`
}

// dependencies are the packs that ours needs, by their IDs: the one with the platform's incident fields, and the one with the
// transformer that maps evidence to the keys of a grid. Every server has both.
func dependencies() map[string]string {
	return map[string]string{"CommonTypes": "Common Types", "CommonScripts": "Common Scripts"}
}

// metadata writes pack_metadata.json and metadata.json.
func (s Source) metadata(items []item) (repository, server []byte, err error) {
	ofRepository := repositoryMetadata{
		Name: packName, Description: description, Support: support, CurrentVersion: s.Version, ServerMinVersion: serverMinVersion,
		Author: author, Created: created, Categories: []string{"Endpoint"}, Tags: []string{}, UseCases: []string{},
		Keywords:     []string{"Microsoft Defender for Endpoint", "MDE", "Defender ATP", "EDR"},
		Marketplaces: []string{"xsoar", "xsoar_saas"},
		Dependencies: map[string]dependency{}, ItemPrefix: "Defender",
	}
	ofServer := serverMetadata{
		ID: packID, repositoryMetadata: ofRepository, DisplayName: packName, Updated: created,
		ContentItems: map[string][]item{}, ContentDisplays: map[string]string{},
		Dependencies: map[string]serverDependency{},
		// Without an address and an e-mail it is an empty object.
		SupportDetails: map[string]string{},
	}
	for id, name := range dependencies() {
		ofRepository.Dependencies[id] = dependency{true, name}
		ofServer.Dependencies[id] = serverDependency{Mandatory: true, Author: "Cortex XSOAR", Name: name, Certification: "certified"}
	}
	for _, one := range items {
		listed := one.kind.listed
		ofServer.ContentItems[listed] = append(ofServer.ContentItems[listed], one)
		ofServer.ContentDisplays[listed] = one.kind.shown
		if len(ofServer.ContentItems[listed]) > 1 {
			ofServer.ContentDisplays[listed] += "s"
		}
	}
	if repository, err = encode(ofRepository); err != nil {
		return nil, nil, err
	}
	server, err = encode(ofServer)
	return repository, server, err
}

func encode(value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "", "    ")
	if err != nil {
		return nil, fmt.Errorf("writing the metadata of the pack: %w", err)
	}
	return append(text, '\n'), nil
}
