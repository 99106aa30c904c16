// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/eureka"
	"github.com/go-kit/kit/sd/lb"
	"github.com/go-kit/log"
)

const seed = 20240501 // of the random balancer: any will do, but a test has to be the same each time

// github.com/go-kit/kit/sd/eureka over fargo: the registrar sends its heartbeats itself, the balancers choose.
type goKit struct {
	*fargoClient
	registrar *eureka.Registrar
	logger    log.Logger
}

func newGoKit(url string, logger log.Logger) *goKit {
	c := &goKit{fargoClient: newFargo(url, false), logger: logger}
	c.instance.LeaseInfo.RenewalIntervalInSecs = 1
	c.registrar = eureka.NewRegistrar(&c.conn, &c.instance, logger)
	return c
}

func (c *goKit) register() error {
	c.registrar.Register()
	return nil
}

func (c *goKit) deregister() error {
	c.registrar.Deregister()
	return nil
}

// What a user makes of a place: here an endpoint that says which one it is.
func factory(place string) (endpoint.Endpoint, io.Closer, error) {
	return func(context.Context, any) (any, error) { return place, nil }, nil, nil
}

func (c *goKit) balancer(kind, app string) (func() (string, error), error) {
	instancer := eureka.NewInstancer(&c.conn, app, c.logger)
	endpointer := sd.NewEndpointer(instancer, factory, c.logger)
	defer instancer.Stop()
	var balancer lb.Balancer
	switch kind {
	case "round-robin":
		balancer = lb.NewRoundRobin(endpointer)
	case "random":
		balancer = lb.NewRandom(endpointer, seed)
	default:
		return nil, errNone
	}
	// The endpointer hears of the instances in a goroutine of its own.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, err := endpointer.Endpoints(); err != nil || len(found) != 0 {
			break
		}
	}
	return func() (string, error) {
		chosen, err := balancer.Endpoint()
		if err != nil {
			return "", err
		}
		place, err := chosen(context.Background(), nil)
		if err != nil {
			return "", err
		}
		return place.(string), nil
	}, nil
}
