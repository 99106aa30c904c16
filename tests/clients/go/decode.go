// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"github.com/ArthurHlt/go-eureka-client/eureka"
	"github.com/hudl/fargo"
	"isthmus.example/tests/clients/lines"
)

// A decoder of messages by the name of their root.
type decoder map[string]func(body []byte) ([]entry, error)

// As fargo's own calls read their answers (rpc.go there).
var fargoJSON = decoder{
	"applications": func(body []byte) ([]entry, error) {
		var found fargo.GetAppsResponseJson
		if err := json.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoApps(found.Response)
	},
	"application": func(body []byte) ([]entry, error) {
		var found fargo.GetAppResponseJson
		if err := json.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoEntries(found.Application.Instances)
	},
	"instance": func(body []byte) ([]entry, error) {
		var found fargo.RegisterInstanceJson
		if err := json.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoEntries([]*fargo.Instance{found.Instance})
	},
}

var fargoXML = decoder{
	"applications": func(body []byte) ([]entry, error) {
		var found *fargo.GetAppsResponse
		if err := xml.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoApps(found)
	},
	"application": func(body []byte) ([]entry, error) {
		var found *fargo.Application
		if err := xml.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoEntries(found.Instances)
	},
	"instance": func(body []byte) ([]entry, error) {
		var found *fargo.Instance
		if err := xml.Unmarshal(body, &found); err != nil {
			return nil, err
		}
		return fargoEntries([]*fargo.Instance{found})
	},
}

func fargoApps(apps *fargo.GetAppsResponse) ([]entry, error) {
	var instances []*fargo.Instance
	for _, app := range apps.Applications {
		instances = append(instances, app.Instances...)
	}
	return fargoEntries(instances)
}

var arthurXML = decoder{
	"applications": func(body []byte) ([]entry, error) {
		found := new(eureka.Applications)
		return arthurApps(found, xml.Unmarshal(body, found))
	},
	"application": func(body []byte) ([]entry, error) {
		found := new(eureka.Application)
		if err := xml.Unmarshal(body, found); err != nil {
			return nil, err
		}
		return arthurEntries(found.Instances)
	},
	"instance": func(body []byte) ([]entry, error) {
		found := new(eureka.InstanceInfo)
		if err := xml.Unmarshal(body, found); err != nil {
			return nil, err
		}
		return arthurEntries([]eureka.InstanceInfo{*found})
	},
}

var decoders = map[string]decoder{"fargo-json": fargoJSON, "fargo-xml": fargoXML, "go-eureka-client": arthurXML}

func decodeFile(d decoder, root, file string) (any, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decode, ok := d[root]
	if !ok {
		return nil, fmt.Errorf("no message is called %q", root)
	}
	return decode(body)
}

// decodeList prints what the decoder has understood of each body of the list, whose lines are "ROOT FILE".
func decodeList(kind, list string) error {
	d, ok := decoders[kind]
	if !ok {
		return fmt.Errorf("no decoder %q", kind)
	}
	bodies, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, line := range strings.Split(strings.TrimSuffix(string(bodies), "\n"), "\n") {
		root, file, _ := strings.Cut(line, " ")
		fmt.Fprintln(out, lines.JSON(decodeFile(d, root, file)))
	}
	return out.Flush()
}
