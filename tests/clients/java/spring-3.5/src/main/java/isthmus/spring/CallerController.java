// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import com.netflix.discovery.EurekaClient;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestTemplate;
import org.springframework.web.reactive.function.client.WebClient;

/** What the application finds, and whom it reaches. */
@RestController
public class CallerController {
    private final Map<String, UnaryOperator<String>> clients;
    private final DiscoveryClient discovery;
    private final EurekaClient eureka;

    CallerController(@LoadBalanced RestTemplate template, @LoadBalanced RestClient.Builder rest,
            @LoadBalanced WebClient.Builder web, Called feign, DiscoveryClient discovery, EurekaClient eureka) {
        RestClient restClient = rest.build();
        WebClient webClient = web.build();
        this.clients = Map.of(
            "resttemplate", url -> template.getForObject(url, String.class),
            "restclient", url -> restClient.get().uri(url).retrieve().body(String.class),
            "webclient", url -> webClient.get().uri(url).retrieve().bodyToMono(String.class).block(),
            "feign", url -> feign.get(URI.create(url)));
        this.discovery = discovery;
        this.eureka = eureka;
    }

    /** How often which answer came. */
    @GetMapping("/calls")
    Map<String, Integer> calls(@RequestParam String by, @RequestParam String name, @RequestParam int times,
            @RequestParam(defaultValue = "http") String scheme) {
        UnaryOperator<String> client = clients.get(by);
        String url = scheme + "://" + name + "/";
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            counts.merge(client.apply(url), 1, Integer::sum);
        }
        return counts;
    }

    @GetMapping("/services")
    List<String> services() {
        return discovery.getServices();
    }

    /** As often as the balancer sees them. */
    @GetMapping("/instances")
    List<URI> instances(@RequestParam String name) {
        return discovery.getInstances(name).stream().map(ServiceInstance::getUri).toList();
    }

    /** So that a test sees why. */
    @ExceptionHandler
    @ResponseStatus(HttpStatus.INTERNAL_SERVER_ERROR)
    String failed(Exception error) {
        return error.toString();
    }

    /** What the Eureka server says of this application. */
    @GetMapping("/remote")
    String remoteStatus() {
        return eureka.getInstanceRemoteStatus().name();
    }
}
