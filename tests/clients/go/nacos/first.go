// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nacos-group/nacos-sdk-go/clients"
	"github.com/nacos-group/nacos-sdk-go/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/common/constant"
	"github.com/nacos-group/nacos-sdk-go/model"
	"github.com/nacos-group/nacos-sdk-go/util"
	"github.com/nacos-group/nacos-sdk-go/vo"
)

// github.com/nacos-group/nacos-sdk-go, which speaks HTTP and UDP.
type first struct {
	naming naming_client.INamingClient
	params map[service]*vo.SubscribeParam // what a subscription is found by when it is to end
}

func newFirst(port uint64, folder, namespace string) (client, error) {
	naming, err := clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			NamespaceId: namespace, TimeoutMs: timeoutMS, CacheDir: folder, LogDir: folder, LogLevel: "info",
		},
		ServerConfigs: []constant.ServerConfig{{IpAddr: server, Port: port}},
	})
	return &first{naming, map[service]*vo.SubscribeParam{}}, err
}

func firstEntry(i *model.Instance) entry {
	return entry{i.InstanceId, i.Ip, i.Port, i.Weight, i.Healthy, i.Enable, i.ClusterName, i.ServiceName, i.Metadata}
}

func firstEntries(instances []model.Instance) []entry {
	entries := []entry{}
	for at := range instances {
		entries = append(entries, firstEntry(&instances[at]))
	}
	return entries
}

// firstTold is the same of what a subscription brings, which has a type of its own.
func firstTold(list []model.SubscribeService) []entry {
	entries := []entry{}
	for at := range list {
		i := &list[at]
		entries = append(entries,
			entry{i.InstanceId, i.Ip, i.Port, i.Weight, i.Healthy, i.Enable, i.ClusterName, i.ServiceName, i.Metadata})
	}
	return entries
}

func (c *first) list(s service, healthyOnly bool) ([]entry, error) {
	if healthyOnly {
		found, err := c.naming.SelectInstances(
			vo.SelectInstancesParam{ServiceName: s.name, GroupName: s.group, HealthyOnly: true})
		return firstEntries(found), err
	}
	found, err := c.naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: s.name, GroupName: s.group})
	return firstEntries(found), err
}

func (c *first) pick(s service) (entry, error) {
	found, err := c.naming.SelectOneHealthyInstance(
		vo.SelectOneHealthInstanceParam{ServiceName: s.name, GroupName: s.group})
	if err != nil {
		return entry{}, err
	}
	return firstEntry(found), nil
}

func (c *first) services(group string) (int64, []string, error) {
	found, err := c.naming.GetAllServicesInfo(vo.GetAllServiceInfoParam{GroupName: group, PageNo: 1, PageSize: pageSize})
	return found.Count, found.Doms, err
}

func (c *first) subscribe(s service, told func([]entry)) error {
	c.params[s] = &vo.SubscribeParam{
		ServiceName: s.name, GroupName: s.group,
		SubscribeCallback: func(list []model.SubscribeService, err error) { told(firstTold(list)) },
	}
	return c.naming.Subscribe(c.params[s])
}

func (c *first) unsubscribe(s service) error { return c.naming.Unsubscribe(c.params[s]) }

func (c *first) register(s service, at place) error {
	_, err := c.naming.RegisterInstance(vo.RegisterInstanceParam{
		ServiceName: s.name, GroupName: s.group, Ip: at.ip, Port: at.port, Weight: 1, Enable: true, Healthy: true,
		Ephemeral: true, Metadata: ownMetadata,
	})
	return err
}

func (c *first) deregister(s service, at place) error {
	_, err := c.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		ServiceName: s.name, GroupName: s.group, Ip: at.ip, Port: at.port, Ephemeral: true,
	})
	return err
}

// decodeFirst reads a list as the client reads those that it is told of.
func decodeFirst(body string) ([]entry, bool) {
	found := util.JsonToService(body)
	if found == nil {
		return nil, false
	}
	return firstEntries(found.Hosts), true
}
