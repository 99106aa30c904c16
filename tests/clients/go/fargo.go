// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/hudl/fargo"
)

// github.com/hudl/fargo, in XML, which is its default, or JSON.
type fargoClient struct {
	conn     fargo.EurekaConnection
	instance fargo.Instance
}

func newFargo(url string, json bool) *fargoClient {
	c := &fargoClient{conn: fargo.NewConn(url)}
	c.conn.UseJson = json
	c.conn.PollInterval = time.Second
	c.instance = fargo.Instance{
		HostName: ownHost, IPAddr: ownHost, Port: ownPort, PortEnabled: true, App: ownApp, VipAddress: ownVIP,
		InstanceId: fmt.Sprintf("%s:%s:%d", ownHost, ownVIP, ownPort), Status: fargo.UP,
		DataCenterInfo: fargo.DataCenterInfo{Name: fargo.MyOwn},
	}
	c.instance.SetMetadataString("version", "v7")
	return c
}

func (c *fargoClient) register() error  { return c.conn.RegisterInstance(&c.instance) }
func (c *fargoClient) heartbeat() error { return c.conn.HeartBeatInstance(&c.instance) }
func (c *fargoClient) status(value string) error {
	return c.conn.UpdateInstanceStatus(&c.instance, fargo.StatusType(value))
}
func (c *fargoClient) metadata(key, value string) error {
	return c.conn.AddMetadataString(&c.instance, key, value)
}
func (c *fargoClient) deregister() error { return c.conn.DeregisterInstance(&c.instance) }

func fargoEntry(i *fargo.Instance) (entry, error) {
	e := entry{
		App: i.App, ID: i.InstanceId, Host: i.HostName, IP: i.IPAddr, Port: i.Port, Secure: i.SecurePortEnabled,
		Status: string(i.Status), VIP: i.VipAddress, Metadata: map[string]string{},
	}
	if e.Secure {
		e.Port = i.SecurePort
	}
	// Each look-up of a key reads the metadata, the first makes the map.
	if _, err := i.Metadata.GetString("version"); err != nil {
		return e, err
	}
	for key, value := range i.Metadata.GetMap() {
		e.Metadata[key] = fmt.Sprint(value) // in XML what looks like a number has become one
	}
	return e, nil
}

func fargoEntries(instances []*fargo.Instance) ([]entry, error) {
	entries := []entry{}
	for _, instance := range instances {
		e, err := fargoEntry(instance)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (c *fargoClient) own() (entry, error) {
	instance, err := c.conn.GetInstance(ownApp, c.instance.Id())
	if err != nil {
		return entry{}, err
	}
	return fargoEntry(instance)
}

func (c *fargoClient) all() ([]entry, error) {
	apps, err := c.conn.GetApps()
	if err != nil {
		return nil, err
	}
	var instances []*fargo.Instance
	for _, app := range apps {
		instances = append(instances, app.Instances...)
	}
	return fargoEntries(instances)
}

func (c *fargoClient) app(name string) ([]entry, error) {
	app, err := c.conn.GetApp(name)
	if err != nil {
		return nil, err
	}
	return fargoEntries(app.Instances)
}

func (c *fargoClient) vip(name string) ([]entry, error) {
	instances, err := c.conn.GetInstancesByVIPAddress(name, false, fargo.ThatAreUp)
	if err != nil {
		return nil, err
	}
	return fargoEntries(instances)
}

// Users walk over the list, which they may have shuffled by fargo.
func (c *fargoClient) balancer(kind, app string) (func() (string, error), error) {
	if kind != "list" {
		return nil, errNone
	}
	source, err := c.conn.NewInstanceSetSourceForVIPAddress(app, false, true, fargo.ThatAreUp, fargo.Shuffled)
	if err != nil {
		return nil, err
	}
	defer source.Stop()
	entries, err := fargoEntries(source.Latest())
	if err != nil {
		return nil, err
	}
	return walk(entries)
}

// walk goes round over a list.
func walk(entries []entry) (func() (string, error), error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("the list is empty")
	}
	places := slices.Clone(entries)
	at := -1
	return func() (string, error) {
		at++
		return places[at%len(places)].place(), nil
	}, nil
}
