package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// document is a CycloneDX 1.6 bill of materials (https://cyclonedx.org/docs/1.6/json/), with the fields that apply to a Go program.
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Time      string    `json:"timestamp,omitempty"` // of the commit, so that one commit always has the same document
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	URL        string     `json:"purl,omitempty"` // package URL
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// bill returns the bill of materials of a Go program. It holds what `go version -m` lists, and is read from the program itself.
func bill(path string) ([]byte, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return write(filepath.Base(path), info, sha256.Sum256(text))
}

// packageURL returns the URL of a Go module in the form of https://github.com/package-url/purl-spec.
func packageURL(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.NewReplacer("+", "%2B", "(", "%28", ")", "%29").Replace(version)
}

// library returns the component of a linked module.
func library(m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	c := component{Type: "library", Name: m.Path, Version: m.Version, URL: packageURL(m.Path, m.Version)}
	c.Ref = c.URL
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

// write returns the document of a program.
func write(name string, info *debug.BuildInfo, sum [sha256.Size]byte) ([]byte, error) {
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	program := component{
		Type: "application", Name: name, Version: version, URL: packageURL(info.Main.Path, version), Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
		Properties: []property{{"go:package", info.Path}},
	}
	if info.Main.Path == "" {
		program.URL = ""
	}
	program.Ref = "program:" + name
	d := document{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.time":
			d.Metadata.Time = s.Value
		case "GOOS", "GOARCH", "CGO_ENABLED", "-tags", "vcs.revision", "vcs.modified":
			program.Properties = append(program.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	d.Metadata.Component = program
	standard := component{Type: "library", Name: "std", Version: info.GoVersion, URL: packageURL("std", strings.TrimPrefix(info.GoVersion, "go"))}
	standard.Ref = standard.URL
	d.Components = []component{standard}
	for _, m := range info.Deps {
		d.Components = append(d.Components, library(m))
	}
	on := dependency{Ref: program.Ref}
	for _, c := range d.Components {
		on.On = append(on.On, c.Ref)
	}
	d.Dependencies = []dependency{on}
	// The serial number is a UUID of version 8 made from the bits of a hash, so it depends on the program alone.
	id := sum
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	d.Serial = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
