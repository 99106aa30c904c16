// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;

/** A gateway whose routes are the services that its Eureka server lists. */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class Gateway {
    public static void main(String[] args) {
        SpringApplication.run(Gateway.class, args);
    }
}
