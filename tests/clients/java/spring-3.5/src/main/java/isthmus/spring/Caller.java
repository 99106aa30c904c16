// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import com.netflix.discovery.Jersey3DiscoveryClientOptionalArgs;
import com.netflix.discovery.shared.transport.jersey3.Jersey3TransportClientFactories;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.openfeign.EnableFeignClients;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestTemplate;
import org.springframework.web.reactive.function.client.WebClient;

/**
 * An application of today: it registers, keeps the list of its Eureka server, and calls others through Spring Cloud
 * LoadBalancer, with each of the clients that it balances.
 */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
@EnableFeignClients(clients = Called.class)
@Import(CallerController.class)
public class Caller {
    @Bean
    @LoadBalanced
    RestTemplate balancedRestTemplate() {
        return new RestTemplate();
    }

    @Bean
    @LoadBalanced
    RestClient.Builder balancedRestClient() {
        return RestClient.builder();
    }

    @Bean
    @LoadBalanced
    WebClient.Builder balancedWebClient() {
        return WebClient.builder();
    }

    /** Eureka's own client takes a builder too: one that looks nothing up. */
    @Bean
    @Primary
    RestClient.Builder plainRestClient() {
        return RestClient.builder();
    }

    @Bean
    @Primary
    WebClient.Builder plainWebClient() {
        return WebClient.builder();
    }

    /** Since Spring Cloud 2022.0 it is the application's affair to bring Jersey, classes and beans. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnProperty("eureka.client.jersey.enabled")
    static class Jersey {
        @Bean
        Jersey3TransportClientFactories jerseyFactories() {
            return Jersey3TransportClientFactories.getInstance();
        }

        @Bean
        Jersey3DiscoveryClientOptionalArgs jerseyArguments() {
            return new Jersey3DiscoveryClientOptionalArgs();
        }
    }

    public static void main(String[] args) {
        SpringApplication.run(Caller.class, args);
    }
}
