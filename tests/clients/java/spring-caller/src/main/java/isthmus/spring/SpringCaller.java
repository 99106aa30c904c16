// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.client.loadbalancer.LoadBalancerClient;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/** An application of Spring Cloud that calls others by their names in its registry; told by HTTP whom, how and how often. */
@SpringBootApplication
@RestController
public class SpringCaller {
    private final Map<String, Caller> callers;
    private final DiscoveryClient registry;
    private final LoadBalancerClient balancer;

    /** In a class of its own, because its users are beans too. */
    @Configuration
    public static class Clients {
        /** As every manual shows it. */
        @Bean
        @LoadBalanced
        public RestTemplate balancedTemplate() {
            return new RestTemplate();
        }
    }

    /** Of the application. */
    public SpringCaller(Map<String, Caller> callers, DiscoveryClient registry, LoadBalancerClient balancer) {
        this.callers = callers;
        this.registry = registry;
        this.balancer = balancer;
    }

    /** How many calls of a name each of those that answered got. */
    @GetMapping("/calls")
    public Map<String, Integer> calls(@RequestParam String by, @RequestParam String name, @RequestParam int times,
            @RequestParam(defaultValue = "http") String scheme) {
        Supplier<String> caller = callers.get(by).to(scheme + "://" + name);
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            counts.merge(caller.get(), 1, Integer::sum);
        }
        return counts;
    }

    /** How often the balancer of the calls chooses each place, or nothing, with no call. */
    @GetMapping("/picks")
    public Map<String, Integer> picks(@RequestParam String name, @RequestParam int times) {
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            ServiceInstance chosen = balancer.choose(name);
            counts.merge(chosen == null ? "nothing" : chosen.getHost() + ':' + chosen.getPort(), 1, Integer::sum);
        }
        return counts;
    }

    /** What the application sees of its registry. */
    @GetMapping("/services")
    public List<String> services() {
        return registry.getServices();
    }

    /** Where a name leads, each place as often as the registry says it. */
    @GetMapping("/instances")
    public List<String> instances(@RequestParam String name) {
        return registry.getInstances(name).stream().map(one -> one.getUri().toString()).collect(Collectors.toList());
    }

    /** So that a test sees why. */
    @ExceptionHandler
    @ResponseStatus(HttpStatus.INTERNAL_SERVER_ERROR)
    public String failed(Exception error) {
        return error.toString();
    }

    public static void main(String[] args) {
        SpringApplication.run(SpringCaller.class, args);
    }
}
