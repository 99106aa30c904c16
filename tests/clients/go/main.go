// SPDX-License-Identifier: Apache-2.0

// Command eureka-clients is an application from before the mesh with one of the Eureka clients of Go. It registers, keeps what
// the server says, and calls. What it knows is asked for on its standard input, a command a line, each answered by a line.
//
//	eureka-clients fargo-xml|fargo-json|go-eureka-client|go-kit SERVER-URL
//	eureka-clients decode fargo-xml|fargo-json|go-eureka-client LIST   says what it understands of files (see decode.go)
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/go-kit/log"
	logging "github.com/op/go-logging"
	"isthmus.example/tests/clients/lines"
)

// What an application says of itself.
const (
	ownApp  = "ORDERS"
	ownHost = "10.1.0.9"
	ownPort = 7070
	ownVIP  = "orders"
)

// An instance as a client has understood it.
type entry struct {
	App      string            `json:"app"`
	ID       string            `json:"id"`
	Host     string            `json:"host"`
	IP       string            `json:"ip"`
	Port     int               `json:"port"` // the one that is enabled
	Secure   bool              `json:"secure"`
	Status   string            `json:"status"`
	VIP      string            `json:"vip"`
	Metadata map[string]string `json:"metadata"`
}

func (e entry) place() string { return fmt.Sprintf("%s:%d", e.Host, e.Port) }

// What each client can do. An operation that a client does not have is errNone.
type client interface {
	register() error
	heartbeat() error
	status(value string) error
	metadata(key, value string) error
	deregister() error
	own() (entry, error)
	all() ([]entry, error)
	app(name string) ([]entry, error)
	vip(name string) ([]entry, error)
	// A balancer of the client's own; where it has none, one that walks over its list. Each call gives the next place.
	balancer(kind, app string) (func() (string, error), error)
}

var errNone = errors.New("this client has no such operation")

// counts asks the balancer, and calls what it says where that is wanted. Keys are what has answered, or the places.
func counts(c client, kind, app, times string, call bool) (any, error) {
	n, err := strconv.Atoi(times)
	if err != nil {
		return nil, err
	}
	next, err := c.balancer(kind, app)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for range n {
		place, err := next()
		if err == nil && call {
			place, err = get(place)
		}
		if err != nil {
			return nil, err
		}
		found[place]++
	}
	return found, nil
}

// get calls an echo server, which says who it is.
func get(place string) (string, error) {
	answer, err := http.Get("http://" + place + "/")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Header.Get("x-echo"), err
}

func answer(c client, words []string) (any, error) {
	switch command := fmt.Sprintf("%s/%d", words[0], len(words)-1); command {
	case "register/0":
		return lines.Done(c.register())
	case "heartbeat/0":
		return lines.Done(c.heartbeat())
	case "status/1":
		return lines.Done(c.status(words[1]))
	case "metadata/2":
		return lines.Done(c.metadata(words[1], words[2]))
	case "deregister/0":
		return lines.Done(c.deregister())
	case "own/0":
		return c.own()
	case "all/0":
		return c.all()
	case "app/1":
		return c.app(words[1])
	case "vip/1":
		return c.vip(words[1])
	case "pick/3":
		return counts(c, words[1], words[2], words[3], false)
	case "call/3":
		return counts(c, words[1], words[2], words[3], true)
	default:
		return nil, fmt.Errorf("unknown command %s", command)
	}
}

// serve answers until standard input ends.
func serve(c client) {
	lines.Serve(func(words []string) (any, error) { return answer(c, words) })
}

func main() {
	logging.SetLevel(logging.WARNING, "") // fargo's
	words := os.Args[1:]
	var err error
	switch {
	case len(words) == 3 && words[0] == "decode":
		err = decodeList(words[1], words[2])
	case len(words) == 2 && (words[0] == "fargo-xml" || words[0] == "fargo-json"):
		serve(newFargo(words[1], words[0] == "fargo-json"))
	case len(words) == 2 && words[0] == "go-eureka-client":
		serve(newArthur(words[1]))
	case len(words) == 2 && words[0] == "go-kit":
		serve(newGoKit(words[1], log.NewLogfmtLogger(os.Stderr)))
	default:
		err = errors.New("usage: eureka-clients KIND SERVER-URL | eureka-clients decode KIND LIST")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
