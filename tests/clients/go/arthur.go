// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/ArthurHlt/go-eureka-client/eureka"
)

// github.com/ArthurHlt/go-eureka-client: registers in JSON and without an id, reads XML.
type arthurClient struct {
	conn     *eureka.Client
	instance *eureka.InstanceInfo
}

func newArthur(url string) *arthurClient {
	instance := eureka.NewInstanceInfo(ownHost, ownApp, ownHost, ownPort, 30, false)
	instance.Metadata = &eureka.MetaData{Map: map[string]string{"version": "v7"}}
	return &arthurClient{conn: eureka.NewClient([]string{url}), instance: instance}
}

func (c *arthurClient) register() error               { return c.conn.RegisterInstance(ownApp, c.instance) }
func (c *arthurClient) heartbeat() error              { return c.conn.SendHeartbeat(ownApp, ownHost) }
func (c *arthurClient) status(string) error           { return errNone }
func (c *arthurClient) metadata(_, _ string) error    { return errNone }
func (c *arthurClient) deregister() error             { return c.conn.UnregisterInstance(ownApp, ownHost) }
func (c *arthurClient) vip(n string) ([]entry, error) { return arthurApps(c.conn.GetVIP(n)) }
func (c *arthurClient) all() ([]entry, error)         { return arthurApps(c.conn.GetApplications()) }

func arthurEntry(i *eureka.InstanceInfo) (entry, error) {
	if i.Port == nil || i.SecurePort == nil {
		return entry{}, fmt.Errorf("%s of %s has not both ports", i.InstanceID, i.App)
	}
	e := entry{
		App: i.App, ID: i.InstanceID, Host: i.HostName, IP: i.IpAddr, Port: i.Port.Port, Secure: i.SecurePort.Enabled,
		Status: i.Status, VIP: i.VipAddress, Metadata: map[string]string{},
	}
	if e.Secure {
		e.Port = i.SecurePort.Port
	}
	if i.Metadata != nil {
		e.Metadata = i.Metadata.Map
	}
	return e, nil
}

func arthurEntries(instances []eureka.InstanceInfo) ([]entry, error) {
	entries := []entry{}
	for at := range instances {
		e, err := arthurEntry(&instances[at])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func arthurApps(apps *eureka.Applications, err error) ([]entry, error) {
	if err != nil {
		return nil, err
	}
	var instances []eureka.InstanceInfo
	for _, app := range apps.Applications {
		instances = append(instances, app.Instances...)
	}
	return arthurEntries(instances)
}

func (c *arthurClient) own() (entry, error) {
	instance, err := c.conn.GetInstance(ownApp, ownHost)
	if err != nil {
		return entry{}, err
	}
	return arthurEntry(instance)
}

func (c *arthurClient) app(name string) ([]entry, error) {
	app, err := c.conn.GetApplication(name)
	if err != nil {
		return nil, err
	}
	return arthurEntries(app.Instances)
}

// It has no balancer: its users walk over the list.
func (c *arthurClient) balancer(kind, app string) (func() (string, error), error) {
	if kind != "list" {
		return nil, errNone
	}
	entries, err := c.app(app)
	if err != nil {
		return nil, err
	}
	return walk(entries)
}
