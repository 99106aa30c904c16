// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/util"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// github.com/nacos-group/nacos-sdk-go/v2, which speaks gRPC.
type second struct {
	naming naming_client.INamingClient
	params map[service]*vo.SubscribeParam // what a subscription is found by when it is to end
}

func newSecond(port uint64, folder, namespace string) (client, error) {
	naming, err := clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			NamespaceId: namespace, TimeoutMs: timeoutMS, CacheDir: folder, LogDir: folder, LogLevel: "info",
		},
		ServerConfigs: []constant.ServerConfig{{IpAddr: server, Port: port}},
	})
	return &second{naming, map[service]*vo.SubscribeParam{}}, err
}

func secondEntry(i *model.Instance) entry {
	return entry{i.InstanceId, i.Ip, i.Port, i.Weight, i.Healthy, i.Enable, i.ClusterName, i.ServiceName, i.Metadata}
}

func secondEntries(instances []model.Instance) []entry {
	entries := []entry{}
	for at := range instances {
		entries = append(entries, secondEntry(&instances[at]))
	}
	return entries
}

func (c *second) list(s service, healthyOnly bool) ([]entry, error) {
	if healthyOnly {
		found, err := c.naming.SelectInstances(
			vo.SelectInstancesParam{ServiceName: s.name, GroupName: s.group, HealthyOnly: true})
		return secondEntries(found), err
	}
	found, err := c.naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: s.name, GroupName: s.group})
	return secondEntries(found), err
}

func (c *second) pick(s service) (entry, error) {
	found, err := c.naming.SelectOneHealthyInstance(
		vo.SelectOneHealthInstanceParam{ServiceName: s.name, GroupName: s.group})
	if err != nil {
		return entry{}, err
	}
	return secondEntry(found), nil
}

func (c *second) services(group string) (int64, []string, error) {
	found, err := c.naming.GetAllServicesInfo(vo.GetAllServiceInfoParam{GroupName: group, PageNo: 1, PageSize: pageSize})
	return found.Count, found.Doms, err
}

func (c *second) subscribe(s service, told func([]entry)) error {
	c.params[s] = &vo.SubscribeParam{
		ServiceName: s.name, GroupName: s.group,
		SubscribeCallback: func(instances []model.Instance, err error) { told(secondEntries(instances)) },
	}
	return c.naming.Subscribe(c.params[s])
}

func (c *second) unsubscribe(s service) error { return c.naming.Unsubscribe(c.params[s]) }

func (c *second) register(s service, at place) error {
	_, err := c.naming.RegisterInstance(vo.RegisterInstanceParam{
		ServiceName: s.name, GroupName: s.group, Ip: at.ip, Port: at.port, Weight: 1, Enable: true, Healthy: true,
		Ephemeral: true, Metadata: ownMetadata,
	})
	return err
}

func (c *second) deregister(s service, at place) error {
	_, err := c.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		ServiceName: s.name, GroupName: s.group, Ip: at.ip, Port: at.port, Ephemeral: true,
	})
	return err
}

// decodeSecond reads a list as the client reads those that it is told of.
func decodeSecond(body string) ([]entry, bool) {
	found := util.JsonToService(body)
	if found == nil {
		return nil, false
	}
	return secondEntries(found.Hosts), true
}
