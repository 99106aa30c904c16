// SPDX-License-Identifier: Apache-2.0

// Command nacos is an application from before the mesh with nacos-sdk-go: it registers, lists, subscribes and lets the client
// choose. What it knows is asked for on its standard input (see package lines). Of each list that a subscription brings it writes a
// line: "event", the service and the list. Which 2.x it has is decided by the go.mod file that it was built with.
//
//	nacos 1|2 PORT FOLDER [NAMESPACE]   the client writes its log and its cache into the folder
//	nacos decode 1|2 LIST                              says what it understands of files (see decode.go)
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"isthmus.example/tests/clients/lines"
)

const (
	server    = "127.0.0.1"
	timeoutMS = 5000
	pageSize  = 1000
)

// An instance as a client has understood it.
type entry struct {
	ID       string            `json:"id"`
	IP       string            `json:"ip"`
	Port     uint64            `json:"port"`
	Weight   float64           `json:"weight"`
	Healthy  bool              `json:"healthy"`
	Enabled  bool              `json:"enabled"`
	Cluster  string            `json:"cluster"`
	Service  string            `json:"service"`
	Metadata map[string]string `json:"metadata"`
}

// What names a service; the group may be empty.
type service struct{ name, group string }

// What an application says of an instance of its own.
type place struct {
	ip   string
	port uint64
}

var ownMetadata = map[string]string{"version": "v7", "zone": "z 1&2=3%"}

// Both generations of the client. Lists come as each client gives them, in its order.
type client interface {
	list(s service, healthyOnly bool) ([]entry, error)
	pick(s service) (entry, error)
	services(group string) (int64, []string, error)
	subscribe(s service, told func([]entry)) error
	unsubscribe(s service) error
	register(s service, at place) error
	deregister(s service, at place) error
}

// counts lets the client choose. Keys are ADDRESS:PORT.
func counts(c client, s service, times string) (any, error) {
	n, err := strconv.Atoi(times)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for range n {
		e, err := c.pick(s)
		if err != nil {
			return nil, err
		}
		found[fmt.Sprintf("%s:%d", e.IP, e.Port)]++
	}
	return found, nil
}

func services(c client, group string) (any, error) {
	count, names, err := c.services(group)
	return map[string]any{"count": count, "names": names}, err
}

func subscribe(c client, s service) error {
	return c.subscribe(s, func(list []entry) { lines.Say("event", s.name, lines.JSON(list, nil)) })
}

func own(words []string) (place, error) {
	port, err := strconv.ParseUint(words[1], 10, 16)
	return place{words[0], port}, err
}

func ownCommand(c client, command string, s service, words []string) error {
	at, err := own(words)
	if err != nil {
		return err
	}
	if command == "register" {
		return c.register(s, at)
	}
	return c.deregister(s, at)
}

// answer: each command has a service and its group in front of its own words, "-" where it has none.
func answer(c client, words []string) (any, error) {
	if len(words) < 3 {
		return nil, errors.New("COMMAND SERVICE GROUP ...")
	}
	s := service{words[1], strings.TrimPrefix(words[2], "-")}
	switch command := fmt.Sprintf("%s/%d", words[0], len(words)-3); command {
	case "list/0":
		return c.list(s, false)
	case "select/0":
		return c.list(s, true)
	case "pick/1":
		return counts(c, s, words[3])
	case "services/0":
		return services(c, s.group)
	case "subscribe/0":
		return lines.Done(subscribe(c, s))
	case "unsubscribe/0":
		return lines.Done(c.unsubscribe(s))
	case "register/2", "deregister/2":
		return lines.Done(ownCommand(c, words[0], s, words[3:]))
	default:
		return nil, fmt.Errorf("unknown command %s", command)
	}
}

func open(words []string) (client, error) {
	port, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return nil, err
	}
	namespace := ""
	if len(words) > 3 {
		namespace = words[3]
	}
	if words[0] == "1" {
		return newFirst(port, words[2], namespace)
	}
	return newSecond(port, words[2], namespace)
}

func run(words []string) error {
	if len(words) == 3 && words[0] == "decode" {
		return decodeList(words[1], words[2])
	}
	if len(words) < 3 || len(words) > 4 {
		return errors.New("usage: nacos 1|2 PORT FOLDER [NAMESPACE] | nacos decode 1|2 LIST")
	}
	c, err := open(words)
	if err != nil {
		return err
	}
	lines.Serve(func(words []string) (any, error) { return answer(c, words) })
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
